#include "fcgi/request.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/wire.h"
#include "fcgi/inflate.h"
#include "fcgi/outbox.h"
#include "fcgi/records.h"

enum {
	PIECE = 16384, /* of a body that is inflated, or of one that is read */
	RETRY_AFTER_S = 5,
	WAITED_MAX_MS = 60000, /* nginx waits no longer (fastcgi_read_timeout): what says more is of a clock that was set */
	SILENCE_S = 10, /* that the other side may keep in the middle of a request */
	NO_SOCKET = -1,
};

struct connection {
	FCGX_Request fcgi;
	bool is_aside; /* the request under way: libfcgi's buffers for it are gone */
};

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" }, { 204, "No Content" }, { 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" },
	{ 404, "Not Found" }, { 405, "Method Not Allowed" }, { 409, "Conflict" }, { 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" }, { 421, "Misdirected Request" }, { 500, "Internal Server Error" },
	{ 503, "Service Unavailable" },
};

static const char *reason_of(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Unknown";
}

void response_error(struct response *response, int status, const char *field, const char *format, ...)
{
	char sentence[512];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);

	response_give_back(response);
	response->status = status;
	response->content_type = RESPONSE_NEW.content_type;
	response->retry_after_s = status == 503 ? RETRY_AFTER_S : 0;
	response->authenticate = status == 401;
	text_reset(&response->body);
	text_append_string(&response->body, "{\"Response\": \"NOk\", \"error\": ");
	json_append_string(&response->body, sentence);
	if (field && field[0]) {
		text_append_string(&response->body, ", \"field\": ");
		json_append_string(&response->body, field);
	}
	if (status == 409) {
		text_append_string(&response->body, ", \"server_time\": ");
		json_append_seconds(&response->body, clock_wall_ms());
	}
	text_append_string(&response->body, "}\n");
}

void response_no_memory(struct response *response, int result)
{
	response_error(response, 503, NULL,
	               result == -ENOBUFS ? "the requests under way hold as much memory as they may" : "out of memory");
}

void response_give_back(struct response *response)
{
	if (response->give_back)
		response->give_back(response->lender);
	response->lent = NULL;
	response->lender = NULL;
	response->give_back = NULL;
}

void response_free(struct response *response)
{
	response_give_back(response);
	text_free(&response->body);
	budget_give_back(&response->share);
}

int request_init(void)
{
	if (FCGX_Init() != 0 || FCGX_IsCGI())
		return -ENOTSOCK;
	/* libfcgi has taken SIGTERM, SIGUSR1 and SIGPIPE. SIGTERM is blocked in every
	 * thread and read elsewhere; SIGUSR1 would shut the library down. */
	signal(SIGUSR1, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

int connection_accept(struct connection **ret_connection)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	if (!connection)
		return -ENOMEM;
	int fd = accept4(0, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0) {
		int result = -errno;
		free(connection);
		return result;
	}
	const struct timeval silence = { .tv_sec = SILENCE_S };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
	/* Without a socket to accept on libfcgi says so where a connection has ended, in the place of waiting for one. */
	FCGX_InitRequest(&connection->fcgi, NO_SOCKET, FCGI_FAIL_ACCEPT_ON_INTR);
	connection->fcgi.ipcFd = fd;
	connection->fcgi.keepConnection = 1; /* until its first request says: libfcgi ends the one before it */
	*ret_connection = connection;
	return 0;
}

void connection_close(struct connection *connection)
{
	if (!connection)
		return;
	/* Else libfcgi waits for the other side to close it, too, for up to two seconds. */
	FCGX_Detach(&connection->fcgi);
	FCGX_Free(&connection->fcgi, 1);
	free(connection);
}

int connection_fd(const struct connection *connection)
{
	return connection->fcgi.ipcFd;
}

static const char *parameter(const struct connection *connection, const char *name)
{
	const char *value = FCGX_GetParam(name, connection->fcgi.envp);
	return value ? value : "";
}

static int make_room(struct body_room *room, size_t size)
{
	int result = budget_hold(&room->share, size);
	if (result || size <= room->capacity)
		return result;
	char *body = realloc(room->body, size);
	if (!body)
		return -ENOMEM;
	room->body = body;
	room->capacity = size;
	return 0;
}

void body_room_give_back(struct body_room *room)
{
	if (room->capacity > BUDGET_FREE) {
		free(room->body);
		room->body = NULL;
		room->capacity = 0;
	}
	if (room->inflated.capacity > BUDGET_FREE)
		text_free(&room->inflated);
	budget_give_back(&room->share);
}

void body_room_free(struct body_room *room)
{
	free(room->body);
	text_free(&room->inflated);
	budget_give_back(&room->share);
}

static int64_t read_waited(struct connection *connection)
{
	double sent_s = strtod(parameter(connection, "VIGIE_SENT"), NULL);
	int64_t waited_ms = sent_s > 0 && sent_s < CLOCK_RFC3339_MAX_S ? clock_wall_ms() - (int64_t)(sent_s * 1000) : 0;
	return waited_ms > 0 && waited_ms < WAITED_MAX_MS ? waited_ms : 0;
}

int connection_read_head(struct connection *connection, struct request *ret_request)
{
	if (FCGX_Accept_r(&connection->fcgi) != 0)
		return -ECONNRESET;
	*ret_request = (struct request){
		.method = parameter(connection, "REQUEST_METHOD"),
		.path = parameter(connection, "DOCUMENT_URI"),
		.query = parameter(connection, "QUERY_STRING"),
		.authorization = parameter(connection, "HTTP_AUTHORIZATION"),
		.token = parameter(connection, "HTTP_X_VIGIE_TOKEN"),
		.host = parameter(connection, "HTTP_HOST"),
		.accept = parameter(connection, "HTTP_ACCEPT"),
		.service = wire_service_parse(parameter(connection, "HTTP_X_VIGIE_SERVICE")),
		.stopped = strcmp(parameter(connection, "HTTP_X_VIGIE_STATE"), WIRE_STOP) == 0,
		.content_length = (size_t)strtoull(parameter(connection, "CONTENT_LENGTH"), NULL, 10),
		.waited_ms = read_waited(connection),
		.only_asks = parameter(connection, "VIGIE_ONLY_ASKS")[0] != '\0',
	};
	return 0;
}

static int read_plain(struct connection *connection, struct body_room *room, size_t length, struct request *request)
{
	int result = make_room(room, length + 1);
	if (result)
		return result;
	size_t got = 0;
	while (got < length) {
		size_t wanted = length - got;
		int now = FCGX_GetStr(room->body + got, wanted > PIECE ? PIECE : (int)wanted, connection->fcgi.in);
		if (now <= 0)
			break;
		got += (size_t)now;
	}
	if (got < length)
		request->body_state = REQUEST_BODY_CUT;
	room->body[got] = '\0';
	request->body = room->body;
	request->body_length = got;
	return 0;
}

static int read_gzip(struct connection *connection, struct body_room *room, size_t length, size_t max_body,
                     struct request *request)
{
	char piece[PIECE];
	struct text *inflated = &room->inflated;
	struct inflation *inflation = inflation_open();
	if (!inflation)
		return -ENOMEM;
	inflation_count(inflation, &room->share);
	text_reset(inflated);
	text_append_string(inflated, ""); /* a body of no bytes has its NUL too */
	int result = 0;
	size_t got = 0;
	while (result == 0 && got < length) {
		size_t wanted = length - got;
		int now = FCGX_GetStr(piece, wanted > PIECE ? PIECE : (int)wanted, connection->fcgi.in);
		if (now <= 0)
			break;
		got += (size_t)now;
		result = inflation_add(inflation, piece, (size_t)now, max_body, inflated);
	}
	if (result == -EFBIG)
		request->body_state = REQUEST_BODY_TOO_LARGE;
	else if (result || (got == length && !inflation_ended(inflation)))
		request->body_state = REQUEST_BODY_BROKEN;
	else if (got < length)
		request->body_state = REQUEST_BODY_CUT;
	inflation_close(inflation);
	if (result == -ENOMEM || text_failed(inflated))
		return -ENOMEM;
	if (result == -ENOBUFS)
		return result;
	request->body = inflated->data;
	request->body_length = inflated->length;
	return 0;
}

int connection_read_body(struct connection *connection, struct body_room *room, size_t max_body, struct request *request)
{
	const char *encoding = parameter(connection, "HTTP_CONTENT_ENCODING");
	bool gzip = strcasecmp(encoding, "gzip") == 0 || strcasecmp(encoding, "x-gzip") == 0;
	size_t length = request->content_length;

	request->body_state = REQUEST_BODY_WHOLE;
	if (encoding[0] && !gzip && strcasecmp(encoding, "identity") != 0)
		request->body_state = REQUEST_BODY_ENCODED;
	else if (length > max_body)
		request->body_state = REQUEST_BODY_TOO_LARGE;
	else if (gzip)
		return read_gzip(connection, room, length, max_body, request);
	/* What cannot be taken is not read. */
	return read_plain(connection, room, request->body_state == REQUEST_BODY_WHOLE ? length : 0, request);
}

/* Throws away what was not read of a body. libfcgi forgets what it has buffered of this request: were it a part of a
 * record, the next request on the connection could not be read. */
static void drain(struct connection *connection)
{
	char rest[4096];
	while (FCGX_GetStr(rest, sizeof(rest), connection->fcgi.in) > 0)
		;
}

static void append_head(const struct response *response, struct text *header)
{
	text_printf(header, "Status: %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n",
	            response->status, reason_of(response->status), response->content_type, response_body(response)->length);
	if (response->allow)
		text_printf(header, "Allow: %s\r\n", response->allow);
	if (response->authenticate)
		text_append_string(header, "WWW-Authenticate: Bearer\r\n");
	if (response->refusal && response->body.data)
		text_printf(header, "Vigie-Status: %d\r\nVigie-Answer: %.*s\r\n", response->refusal,
		            (int)strcspn(response->body.data, "\n"), response->body.data);
	if (response->retry_after_s)
		text_printf(header, "Retry-After: %d\r\n", response->retry_after_s);
	if (response->state)
		text_printf(header, WIRE_STATE ": %s\r\n", response->state);
	if (response->accept)
		text_printf(header, WIRE_ACCEPT ": %s\r\n" WIRE_RESOURCES ": %d\r\n", response->accept, (int)RESOURCE_COUNT);
	if (response->varies)
		text_append_string(header, "Vary: Accept\r\n");
	if (response->hint[0])
		text_printf(header, "Vigie-Hint: the kernel keeps %d bytes of a name: %s\r\n", COMM_MAX, response->hint);
	text_append_string(header, "\r\n");
}

/* Sends the head of an answer. A body that was not read is thrown away. False: there is no memory for it, and nothing may
 * be sent in its place. */
static bool send_head(struct connection *connection, const struct response *response)
{
	struct text header = TEXT_EMPTY;
	drain(connection);
	append_head(response, &header);
	bool whole = !text_failed(&header);
	if (whole)
		FCGX_PutStr(header.data, (int)header.length, connection->fcgi.out);
	text_free(&header);
	return whole;
}

void connection_set_aside(struct connection *connection)
{
	drain(connection);
	FCGX_Free(&connection->fcgi, 0);
	connection->is_aside = true;
}

static bool send_all(int fd, const struct text *text)
{
	for (size_t sent = 0; sent < text->length;) {
		ssize_t now = send(fd, text->data + sent, text->length - sent, MSG_NOSIGNAL);
		if (now < 0 && errno != EINTR)
			return false;
		sent += now > 0 ? (size_t)now : 0;
	}
	return true;
}

/* Answers a request that was set aside. */
static bool answer_aside(struct connection *connection, bool with_body, const struct response *response)
{
	unsigned char head[RECORDS_TAIL];
	struct text content = TEXT_EMPTY, records = TEXT_EMPTY;
	int id = connection->fcgi.requestId;
	append_head(response, &content);
	if (with_body)
		text_append(&content, response_body(response)->data, response_body(response)->length);
	for (size_t start = 0; start < content.length; start += RECORDS_CONTENT) {
		size_t left = content.length - start, length = left < RECORDS_CONTENT ? left : RECORDS_CONTENT;
		text_append(&records, (char *)head, records_put_header(id, length, head));
		text_append(&records, content.data + start, length);
	}
	text_append(&records, (char *)head, records_put_tail(id, head));
	bool sent = !text_failed(&content) && !text_failed(&records) && send_all(connection->fcgi.ipcFd, &records);
	text_free(&content);
	text_free(&records);
	connection->is_aside = false;
	return sent && connection->fcgi.keepConnection;
}

bool connection_answer(struct connection *connection, bool with_body, const struct response *response)
{
	const struct text *body = response_body(response);
	if (connection->is_aside)
		return answer_aside(connection, with_body, response);
	if (send_head(connection, response) && with_body) {
		/* FCGX_PutStr() takes an int. */
		for (size_t sent = 0; sent < body->length;) {
			size_t left = body->length - sent;
			int piece = left > (1 << 30) ? 1 << 30 : (int)left;
			if (FCGX_PutStr(body->data + sent, piece, connection->fcgi.out) != piece)
				break; /* nginx has gone */
			sent += (size_t)piece;
		}
	}
	FCGX_Finish_r(&connection->fcgi);
	return connection->fcgi.ipcFd >= 0;
}

void connection_answer_large(struct connection *connection, struct outbox *outbox, struct outbox_item *item,
                             struct response *response)
{
	int id = connection->fcgi.requestId;
	bool begun = send_head(connection, response) && FCGX_FFlush(connection->fcgi.out) == 0;
	int fd = begun ? fcntl(connection->fcgi.ipcFd, F_DUPFD_CLOEXEC, 0) : -1;
	if (fd >= 0)
		outbox_send(outbox, item, fd, id, response);
	else
		outbox_cancel(outbox, item); /* nginx has gone, or will see that the answer is cut, or none */
}

void request_shutdown(void)
{
	FCGX_ShutdownPending();
}
