#include "common/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/gzip.h"

struct http {
	CURL *curl;
	const struct http_message *message; /* of the request that is under way */
	struct http_answer *answer;
	int sink_result;
	char error[CURL_ERROR_SIZE];
	int64_t timeout_ms;
	char own_ip[WIRE_IP_SIZE]; /* "" before the first answer */
	bool peer_is_local;
	bool headers_ended;        /* of the answer that is being read */
};

/* libcurl takes headers that are cut off for an answer without a body. */
static size_t on_header(char *line, size_t size, size_t count, void *user)
{
	struct http *http = user;
	if (size * count > 5 && memcmp(line, "HTTP/", 5) == 0)
		http->headers_ended = false;
	else if (line[0] == '\r' || line[0] == '\n')
		http->headers_ended = true;
	return size * count;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
	struct http *http = user;
	struct text *body = &http->answer->body;
	size_t length = size * count;
	long status = 0;
	if (http->message->sink)
		curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200 && status < 300) {
		http->sink_result = http->message->sink(http->message->sink_user, bytes, length);
		return http->sink_result ? 0 : length;
	}
	if (length > HTTP_ANSWER_MAX - body->length)
		return 0;
	text_append(body, bytes, length);
	return text_failed(body) ? 0 : length;
}

/* Called at least once a second. The signal stays for whoever reads it. */
static int on_progress(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	(void)user, (void)down_total, (void)down, (void)up_total, (void)up;
	sigset_t pending;
	return sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

struct http *http_open(int64_t timeout_ms)
{
	struct http *http = calloc(1, sizeof(*http));
	if (!http)
		return NULL;
	http->curl = curl_easy_init();
	if (!http->curl) {
		free(http);
		return NULL;
	}
	http->timeout_ms = timeout_ms;
	curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
	/* Otherwise a name server that is silent holds us beyond the timeout. */
	curl_easy_setopt(http->curl, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, http->error);
	curl_easy_setopt(http->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(http->curl, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(http->curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(http->curl, CURLOPT_HEADERDATA, http);
	curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, http);
	curl_easy_setopt(http->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	return http;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	curl_easy_cleanup(http->curl);
	free(http);
}

static int error_of(CURLcode code, const struct text *body)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return -EINVAL;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_WRITE_ERROR:
		return text_failed(body) ? -ENOMEM : -EMSGSIZE;
	case CURLE_ABORTED_BY_CALLBACK:
		return -ECANCELED;
	default:
		return -EIO;
	}
}

/* The headers of a message, to be freed with curl_slist_free_all(); NULL: out of memory. */
static struct curl_slist *headers_of(const struct http_message *message)
{
	/* No "Expect: 100-continue": it costs a round trip. */
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
	const struct {
		const char *name, *value;
	} lines[] = {
		{ "Content-Type", message->content_type ? message->content_type : "application/json" },
		{ "Content-Encoding", message->gzip && message->body ? "gzip" : NULL },
		{ "Accept", message->accept },
		{ "Authorization", message->authorization },
	};
	struct text line = TEXT_EMPTY;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]) && headers; i++) {
		if (!lines[i].value || !lines[i].value[0])
			continue;
		text_reset(&line);
		text_printf(&line, "%s: %s", lines[i].name, lines[i].value);
		struct curl_slist *longer = text_failed(&line) ? NULL : curl_slist_append(headers, line.data);
		if (!longer)
			curl_slist_free_all(headers);
		headers = longer;
	}
	text_free(&line);
	return headers;
}

static const char *given(const char *string)
{
	return string && string[0] ? string : NULL;
}

static void set_message(struct http *http, const struct http_message *message, const char *body, size_t body_length)
{
	CURL *curl = http->curl;
	if (body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_length);
	} else {
		curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, message->method);
	curl_easy_setopt(curl, CURLOPT_URL, message->url);
	curl_easy_setopt(curl, CURLOPT_USERNAME, given(message->user));
	curl_easy_setopt(curl, CURLOPT_PASSWORD, given(message->password));
	if (given(message->ca_file))
		curl_easy_setopt(curl, CURLOPT_CAINFO, message->ca_file);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, message->stoppable ? 0L : 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(message->timeout_ms ? message->timeout_ms : http->timeout_ms));
}

/* Our own address and whose the other end is. */
static void read_addresses(struct http *http)
{
	const char *own_ip = NULL, *peer = NULL;
	char peer_ip[WIRE_IP_SIZE];
	if (curl_easy_getinfo(http->curl, CURLINFO_LOCAL_IP, &own_ip) != CURLE_OK || !own_ip ||
	    !wire_ip_parse(own_ip, http->own_ip))
		return;
	http->peer_is_local = curl_easy_getinfo(http->curl, CURLINFO_PRIMARY_IP, &peer) == CURLE_OK && peer &&
	                      wire_ip_parse(peer, peer_ip) &&
	                      (strncmp(peer_ip, "127.", 4) == 0 || strcmp(peer_ip, http->own_ip) == 0);
}

static const char *header_of(CURL *curl, const char *name)
{
	struct curl_header *header;
	return curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value : NULL;
}

static int perform(struct http *http, struct http_answer *ret_answer)
{
	CURL *curl = http->curl;
	http->headers_ended = false;
	CURLcode code = curl_easy_perform(curl);
	if (code != CURLE_OK) {
		if (!http->error[0])
			strncpy(http->error, curl_easy_strerror(code), sizeof(http->error) - 1);
		if (http->sink_result)
			return http->sink_result;
		return error_of(code, &ret_answer->body);
	}
	if (!http->headers_ended) {
		strcpy(http->error, "the answer ends in its headers");
		return -EIO;
	}

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret_answer->status);
	curl_off_t retry_after = 0;
	/* CURLINFO_RETRY_AFTER does not tell 0 from none. */
	if (header_of(curl, "Retry-After") && curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK)
		ret_answer->retry_after_s = retry_after > 0 ? (int64_t)retry_after : 0; /* a date may have passed */
	const char *date = header_of(curl, "Date");
	ret_answer->date_s = date ? (int64_t)curl_getdate(date, NULL) : -1;
	read_addresses(http);
	return 0;
}

/* The body compressed, where that is wanted. */
static int compress_body(const struct http_message *message, struct text *ret_gzip)
{
	return message->gzip && message->body ? gzip_append(ret_gzip, message->body, message->body_length) : 0;
}

int http_send(struct http *http, const struct http_message *message, struct http_answer *ret_answer)
{
	struct text gzip = TEXT_EMPTY;
	text_reset(&ret_answer->body);
	ret_answer->status = 0;
	ret_answer->retry_after_s = -1;
	ret_answer->date_s = -1;
	http->error[0] = '\0';
	http->message = message;
	http->answer = ret_answer;
	http->sink_result = 0;

	struct curl_slist *headers = headers_of(message);
	int result = headers ? compress_body(message, &gzip) : -ENOMEM;
	if (result == 0) {
		set_message(http, message, gzip.data ? gzip.data : message->body, gzip.data ? gzip.length : message->body_length);
		curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, headers);
		result = perform(http, ret_answer);
		curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
	}
	curl_slist_free_all(headers);
	text_free(&gzip);
	return result;
}

int http_request(struct http *http, const char *method, const char *url, const char *body, size_t body_length,
                 struct http_answer *ret_answer)
{
	const struct http_message message = { .method = method, .url = url, .body = body, .body_length = body_length };
	return http_send(http, &message, ret_answer);
}

const char *http_url_fault(const char *url)
{
	char *port = NULL;
	CURLU *parsed = curl_url();
	CURLUcode code = parsed ? curl_url_set(parsed, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
	const char *fault = code == CURLUE_OK ? NULL : curl_url_strerror(code);
	if (!fault && curl_url_get(parsed, CURLUPART_PORT, &port, 0) == CURLUE_OK && strcmp(port, "0") == 0)
		fault = "Port 0 cannot be connected to"; /* it is taken, and then is not */
	curl_free(port);
	curl_url_cleanup(parsed);
	return fault;
}

void http_append_escaped(struct text *text, const char *string)
{
	char *escaped = curl_easy_escape(NULL, string, 0);
	if (escaped)
		text_append_string(text, escaped);
	else
		text->failed = true;
	curl_free(escaped);
}

const char *http_error(const struct http *http)
{
	return http->error;
}

bool http_own_ip(const struct http *http, char ret_ip[static WIRE_IP_SIZE])
{
	if (!http->own_ip[0])
		return false;
	memcpy(ret_ip, http->own_ip, WIRE_IP_SIZE);
	return true;
}

bool http_peer_is_local(const struct http *http)
{
	return http->peer_is_local;
}
