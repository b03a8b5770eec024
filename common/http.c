#include "common/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/gzip.h"
#include "common/proxy.h"
#include "common/url.h"

struct http {
	CURL *curl;
	const struct http_message *message; /* of the request that is under way */
	struct http_answer *answer;
	int sink_result; /* or of the source */
	char error[CURL_ERROR_SIZE];
	int64_t timeout_ms;
	char own_ip[WIRE_IP_SIZE]; /* "" before the first answer */
	bool peer_is_local;
	bool headers_ended;        /* of the answer that is being read */
	bool is_elsewhere;         /* the request was not sent: the connection has another own address */
	char location[WIRE_NAME_SIZE]; /* where the last answer redirects to, for the log; "": nowhere */
	struct text proxy;         /* of the last request, for the log; empty: none */
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

static size_t on_source(char *buffer, size_t size, size_t count, void *user)
{
	struct http *http = user;
	long given = http->message->source(http->message->source_user, buffer, size * count);
	if (given >= 0)
		return (size_t)given;
	http->sink_result = (int)given;
	return CURL_READFUNC_ABORT;
}

/* A kept connection had ended: from the beginning. */
static int on_seek(void *user, curl_off_t offset, int origin)
{
	struct http *http = user;
	if (offset != 0 || origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	http->message->source_rewind(http->message->source_user);
	return CURL_SEEKFUNC_OK;
}

/* Called at least once a second. The signal stays for whoever reads it. */
static int on_progress(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	(void)down_total, (void)down, (void)up_total, (void)up;
	const struct http_message *message = ((const struct http *)user)->message;
	sigset_t pending;
	if (message->cancel && *message->cancel)
		return 1;
	return message->stoppable && sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* The connection is there, a new one or not, and nothing is sent yet. */
static int on_connection(void *user, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
	(void)peer_ip, (void)peer_port, (void)own_port;
	struct http *http = user;
	char ip[WIRE_IP_SIZE];
	if (!http->message->own_ip || !wire_ip_parse(own_ip, ip) || strcmp(ip, http->message->own_ip) == 0)
		return CURL_PREREQFUNC_OK;
	memcpy(http->own_ip, ip, sizeof(ip));
	http->is_elsewhere = true;
	return CURL_PREREQFUNC_ABORT;
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
	curl_easy_setopt(http->curl, CURLOPT_READFUNCTION, on_source);
	curl_easy_setopt(http->curl, CURLOPT_READDATA, http);
	curl_easy_setopt(http->curl, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(http->curl, CURLOPT_SEEKDATA, http);
	curl_easy_setopt(http->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(http->curl, CURLOPT_XFERINFODATA, http);
	curl_easy_setopt(http->curl, CURLOPT_PREREQFUNCTION, on_connection);
	curl_easy_setopt(http->curl, CURLOPT_PREREQDATA, http);
	curl_easy_setopt(http->curl, CURLOPT_NOPROXY, ""); /* proxy_choose() has looked at the variable */
	return http;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	curl_easy_cleanup(http->curl);
	text_free(&http->proxy);
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
		{ WIRE_SERVICE, message->service ? wire_service_name(message->service) : NULL },
		{ WIRE_STATE, !message->service ? NULL : message->stopped ? WIRE_STOP : WIRE_RUN },
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

/* libcurl copies strings: without memory for one it would ask for another URL, or without who we are. */
static CURLcode set_message(struct http *http, const struct http_message *message, const char *body, size_t body_length)
{
	CURL *curl = http->curl;
	CURLcode code = CURLE_OK;
	const char *proxy = proxy_choose(message->proxy, message->url);
	const struct {
		CURLoption option;
		const char *string;
	} strings[] = {
		{ CURLOPT_CUSTOMREQUEST, message->method },
		{ CURLOPT_URL, message->url },
		{ CURLOPT_PROXY, proxy }, /* "" is no proxy, whatever the environment has */
		{ CURLOPT_USERNAME, given(message->user) },
		{ CURLOPT_PASSWORD, given(message->password) },
	};
	if (message->source) {
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, NULL);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)message->body_length);
	} else if (body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_length);
	} else {
		curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	}
	text_reset(&http->proxy);
	proxy_append_masked(&http->proxy, proxy);
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]) && code == CURLE_OK; i++)
		code = (curl_easy_setopt)(curl, strings[i].option, strings[i].string); /* its macro is for options known to the compiler */
	if (code == CURLE_OK && given(message->ca_file))
		code = curl_easy_setopt(curl, CURLOPT_CAINFO, message->ca_file);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, message->stoppable || message->cancel ? 0L : 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(message->timeout_ms ? message->timeout_ms : http->timeout_ms));
	return code;
}

/* Our own address and whose the other end is. */
static void read_addresses(struct http *http)
{
	const char *own_ip = NULL, *peer = NULL;
	char peer_ip[WIRE_IP_SIZE];
	if (curl_easy_getinfo(http->curl, CURLINFO_LOCAL_IP, &own_ip) != CURLE_OK || !own_ip ||
	    !wire_ip_parse(own_ip, http->own_ip))
		return;
	http->peer_is_local = !http_is_proxied(http) &&
	                      curl_easy_getinfo(http->curl, CURLINFO_PRIMARY_IP, &peer) == CURLE_OK && peer &&
	                      wire_ip_parse(peer, peer_ip) &&
	                      (url_host_is_loopback(peer_ip) || strcmp(peer_ip, http->own_ip) == 0);
}

/* Where an answer redirects to: without user and password, nor what a query may tell of us. */
static void read_location(struct http *http)
{
	static const CURLUPart secrets[] = { CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT };
	const char *target = NULL;
	if (curl_easy_getinfo(http->curl, CURLINFO_REDIRECT_URL, &target) != CURLE_OK || !target)
		return;
	struct text printable = TEXT_EMPTY; /* libcurl takes no control characters in a URL */
	for (; *target; target++)
		text_append_char(&printable, (unsigned char)*target < 0x20 || *target == 0x7f ? '?' : *target);
	char *shown = NULL;
	CURLU *parsed = text_failed(&printable) ? NULL : curl_url();
	bool clean = parsed && curl_url_set(parsed, CURLUPART_URL, printable.data, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]) && clean; i++)
		clean = curl_url_set(parsed, secrets[i], NULL, 0) == CURLUE_OK;
	if (clean && curl_url_get(parsed, CURLUPART_URL, &shown, 0) == CURLUE_OK)
		wire_clean_name(shown, strlen(shown), http->location);
	curl_free(shown);
	curl_url_cleanup(parsed);
	text_free(&printable);
}

static const char *header_of(CURL *curl, const char *name)
{
	struct curl_header *header;
	return curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value : NULL;
}

static enum http_state read_state(CURL *curl)
{
	const char *state = header_of(curl, WIRE_STATE);
	if (state && strcmp(state, WIRE_STOP) == 0)
		return HTTP_STATE_STOP;
	return state && strcmp(state, WIRE_RUN) == 0 ? HTTP_STATE_RUN : HTTP_STATE_UNSAID;
}

/* Sends what is set, unless setting it failed. */
static int perform(struct http *http, CURLcode code, struct http_answer *ret_answer)
{
	CURL *curl = http->curl;
	http->headers_ended = false;
	if (code == CURLE_OK)
		code = curl_easy_perform(curl);
	if (http->is_elsewhere) {
		strcpy(http->error, "this machine's address on the connection is another one");
		return -EADDRNOTAVAIL;
	}
	if (code != CURLE_OK) {
		if (strncmp(http->error, "Unsupported proxy", 17) == 0) /* libcurl quotes it then, with its password */
			strcpy(http->error, "libcurl does not take the proxy's URL");
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
	const char *accept = header_of(curl, WIRE_ACCEPT);
	ret_answer->offers_processes = accept && strcmp(accept, WIRE_ACCEPT_PROCESSES) == 0;
	const char *resources = header_of(curl, WIRE_RESOURCES);
	ret_answer->resources = resources && strlen(resources) < 5 ? atoi(resources) : 0;
	ret_answer->state = read_state(curl);
	read_addresses(http);
	read_location(http);
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
	ret_answer->offers_processes = false;
	ret_answer->resources = 0;
	ret_answer->state = HTTP_STATE_UNSAID;
	http->error[0] = '\0';
	http->message = message;
	http->answer = ret_answer;
	http->sink_result = 0;
	http->is_elsewhere = false;
	http->location[0] = '\0';

	struct curl_slist *headers = headers_of(message);
	int result = headers ? compress_body(message, &gzip) : -ENOMEM;
	if (result == 0) {
		CURLcode code = set_message(http, message, text_or(&gzip, message->body), gzip.data ? gzip.length : message->body_length);
		curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, headers);
		result = perform(http, code, ret_answer);
		curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
	}
	if (result == 0 && message->sink_end && ret_answer->status >= 200 && ret_answer->status < 300) {
		result = message->sink_end(message->sink_user);
		if (result)
			strcpy(http->error, "the answer is not whole");
	}
	curl_slist_free_all(headers);
	text_free(&gzip);
	return result;
}

bool http_is_to_stop(const struct http_answer *answer, bool stopped)
{
	if (answer->state == HTTP_STATE_UNSAID && answer->status != 200)
		return stopped;
	return answer->state == HTTP_STATE_STOP;
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
	CURLUcode code = parsed ? curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) : CURLUE_OUT_OF_MEMORY;
	const char *fault = code == CURLUE_OK ? NULL : curl_url_strerror(code);
	if (!fault && curl_url_get(parsed, CURLUPART_PORT, &port, 0) == CURLUE_OK && strcmp(port, "0") == 0)
		fault = "Port 0 cannot be connected to"; /* it is taken, and then is not */
	curl_free(port);
	curl_url_cleanup(parsed);
	return fault;
}

bool http_url_host(const char *url, struct text *ret_host)
{
	char *host = NULL;
	CURLU *parsed = curl_url();
	bool found = parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
	             curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK;
	if (found)
		text_append_string(ret_host, host);
	curl_free(host);
	curl_url_cleanup(parsed);
	return found && !text_failed(ret_host);
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

void http_append_redirect(const struct http *http, const char *path, struct text *text)
{
	if (!http->location[0])
		return;
	text_printf(text, ", to %s, which is not followed", http->location);
	size_t length = strlen(http->location), behind = path ? strcspn(path, "?") : 0;
	if (behind && behind < length && strncmp(http->location + length - behind, path, behind) == 0)
		text_printf(text, ": the URL would be %.*s", (int)(length - behind), http->location);
}

void http_append_proxy(const struct http *http, struct text *text)
{
	if (http_is_proxied(http))
		text_printf(text, ", through the proxy %s", http->proxy.data);
}

bool http_is_proxied(const struct http *http)
{
	return http->proxy.length > 0;
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
