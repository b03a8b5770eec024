#include "common/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct http {
	CURL *curl;
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
	char own_ip[WIRE_IP_SIZE]; /* "" before the first answer */
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

struct http *http_open(int64_t timeout_ms)
{
	struct http *http = calloc(1, sizeof(*http));
	if (!http)
		return NULL;
	http->curl = curl_easy_init();
	/* No "Expect: 100-continue": it costs a round trip. */
	http->headers = curl_slist_append(NULL, "Expect:");
	struct curl_slist *headers = curl_slist_append(http->headers, "Content-Type: application/json");
	if (!http->curl || !headers) {
		http_close(http);
		return NULL;
	}
	http->headers = headers;
	curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, http->error);
	curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, http->headers);
	curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(http->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(http->curl, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(http->curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(http->curl, CURLOPT_HEADERDATA, http);
	return http;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	curl_easy_cleanup(http->curl);
	curl_slist_free_all(http->headers);
	free(http);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
	struct text *body = user;
	size_t length = size * count;
	if (length > HTTP_ANSWER_MAX - body->length)
		return 0;
	text_append(body, bytes, length);
	return text_failed(body) ? 0 : length;
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
	default:
		return -EIO;
	}
}

int http_request(struct http *http, const char *method, const char *url, const char *body, size_t body_length,
                 struct http_answer *ret_answer)
{
	CURL *curl = http->curl;
	text_reset(&ret_answer->body);
	ret_answer->status = 0;
	ret_answer->retry_after_s = -1;
	http->error[0] = '\0';

	if (body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_length);
	} else {
		curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &ret_answer->body);

	http->headers_ended = false;
	CURLcode code = curl_easy_perform(curl);
	if (code != CURLE_OK) {
		if (!http->error[0])
			strncpy(http->error, curl_easy_strerror(code), sizeof(http->error) - 1);
		return error_of(code, &ret_answer->body);
	}
	if (!http->headers_ended) {
		strcpy(http->error, "the answer ends in its headers");
		return -EIO;
	}

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret_answer->status);
	curl_off_t retry_after = 0;
	struct curl_header *header;
	/* CURLINFO_RETRY_AFTER does not tell 0 from none. */
	if (curl_easy_header(curl, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
	    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK)
		ret_answer->retry_after_s = retry_after > 0 ? (int64_t)retry_after : 0; /* a date may have passed */
	const char *own_ip = NULL;
	if (curl_easy_getinfo(curl, CURLINFO_LOCAL_IP, &own_ip) == CURLE_OK && own_ip)
		(void)wire_ip_parse(own_ip, http->own_ip);
	return 0;
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
