/*
 * vigie's server within the tests: it answers hosts and get-all-detailed from a few samples as the
 * real one does, at a time that the test sets, and keeps what is PUT.
 */
#ifndef VIGIE_TESTS_FAKE_SERVER_H
#define VIGIE_TESTS_FAKE_SERVER_H

#include "tests/unit/support/http_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/text.h"
#include "common/wire.h"

enum { SAMPLES_MAX = 65536, NAMES_MAX = 64 };

/* Names stand for series in their order: sorted by host and process, as the tests add them. */
static struct {
	struct http_server *http;
	char url[80];

	/* Set between requests: the client waits for each answer. */
	int64_t now_ms;
	int64_t retention_ms; /* a longer window is refused; 0: any will do */
	int get_status, put_status; /* 0: as it is */
	const char *headers; /* of all answers; NULL: no more of them */
	const char *fail; /* only requests with it in their path have get_status; NULL: all */
	struct {
		const char *ip, *process;
		enum resource resource;
	} names[NAMES_MAX];
	size_t name_count;
	struct {
		size_t name;
		int64_t time_ms;
		double value;
	} samples[SAMPLES_MAX];
	size_t sample_count;

	struct text asked; /* paths of all GETs, a line each */
	size_t gets, puts;
	struct text put;   /* the bodies since the test has emptied it */
	size_t longest;    /* of them, bytes */
} server;

static size_t add_series(const char *ip, const char *process, enum resource resource)
{
	server.names[server.name_count].ip = ip;
	server.names[server.name_count].process = process;
	server.names[server.name_count].resource = resource;
	return server.name_count++;
}

static void add_sample(size_t name, int64_t time_ms, double value)
{
	if (server.sample_count == SAMPLES_MAX)
		abort();
	server.samples[server.sample_count].name = name;
	server.samples[server.sample_count].time_ms = time_ms;
	server.samples[server.sample_count++].value = value;
}

/* The value of a parameter, decoded; false where the path has none of it. */
static bool parameter(const char *path, const char *name, char *value, size_t size)
{
	char wanted[32];
	snprintf(wanted, sizeof(wanted), "%s=", name);
	for (const char *at = strpbrk(path, "?"); at; at = strchr(at, '&')) {
		at++;
		if (strncmp(at, wanted, strlen(wanted)) != 0)
			continue;
		size_t used = 0;
		for (at += strlen(wanted); *at && *at != '&' && used + 1 < size; at++) {
			unsigned byte = (unsigned char)*at;
			if (byte == '%' && sscanf(at + 1, "%2x", &byte) == 1)
				at += 2;
			value[used++] = (char)byte;
		}
		value[used] = '\0';
		return true;
	}
	return false;
}

/* One series' points in the window; false when it has none or is not over `above`. */
static bool append_points(struct text *body, size_t name, int64_t from_ms, int64_t step_ms, bool maximum, double above)
{
	double highest = -1, value = 0;
	int64_t bucket = -1;
	size_t count = 0, points = 0;
	text_append_char(body, '[');
	for (size_t i = 0; i <= server.sample_count; i++) {
		bool last = i == server.sample_count;
		if (!last && (server.samples[i].name != name || server.samples[i].time_ms <= from_ms ||
		              server.samples[i].time_ms > server.now_ms))
			continue;
		int64_t at = last ? -2 : server.samples[i].time_ms / step_ms;
		if (count && at != bucket) {
			text_printf(body, "%s[%lld, ", points++ ? ", " : "", (long long)(bucket * step_ms / 1000));
			json_append_number(body, maximum ? value : value / (double)count);
			text_append_char(body, ']');
			count = 0;
		}
		if (last)
			break;
		double sample = server.samples[i].value;
		highest = sample > highest ? sample : highest;
		value = count == 0 ? sample : maximum ? (sample > value ? sample : value) : value + sample;
		count++;
		bucket = at;
	}
	text_append_char(body, ']');
	return points > 0 && highest > above;
}

static void answer_detailed(const char *path, struct text *body)
{
	char ip[64] = "", process[256] = "", word[32];
	bool one_ip = parameter(path, "ip", ip, sizeof(ip)), one_process = parameter(path, "process", process, sizeof(process));
	parameter(path, "window", word, sizeof(word));
	int64_t from_ms = server.now_ms - atoll(word) * 1000;
	parameter(path, "step", word, sizeof(word));
	int64_t step_ms = atoll(word) * 1000;
	bool maximum = parameter(path, "fn", word, sizeof(word)) && strcmp(word, "max") == 0;
	double above = parameter(path, "above", word, sizeof(word)) ? atof(word) : -1;
	enum resource resource = RESOURCE_MEM;
	parameter(path, "resource", word, sizeof(word));
	(void)wire_resource_parse(word, &resource);
	const char *host = NULL;
	text_append_char(body, '{');
	for (size_t i = 0; i < server.name_count; i++) {
		struct text points = TEXT_EMPTY;
		if (server.names[i].resource == resource && (!one_ip || strcmp(ip, server.names[i].ip) == 0) &&
		    (!one_process || strcmp(process, server.names[i].process) == 0) &&
		    append_points(&points, i, from_ms, step_ms, maximum, above)) {
			bool new_host = !host || strcmp(host, server.names[i].ip) != 0;
			if (new_host)
				text_printf(body, "%s\"%s\": {", host ? "}, " : "", server.names[i].ip);
			else
				text_append_string(body, ", ");
			host = server.names[i].ip;
			json_append_string(body, server.names[i].process);
			text_printf(body, ": %s", points.data);
		}
		text_free(&points);
	}
	text_append_string(body, host ? "}}\n" : "}\n");
}

static void answer_hosts(struct text *body)
{
	const char *host = NULL;
	text_append_char(body, '{');
	for (size_t i = 0; i < server.name_count; i++) {
		if (host && strcmp(host, server.names[i].ip) == 0)
			continue;
		text_printf(body, "%s\"%s\": {\"last_seen\": 1}", host ? ", " : "", server.names[i].ip);
		host = server.names[i].ip;
	}
	text_append_string(body, "}\n");
}

/* The status. */
static int answer_get(const char *path, struct text *body)
{
	char window[32];
	server.gets++;
	text_printf(&server.asked, "%s\n", path);
	if (server.get_status && (!server.fail || strstr(path, server.fail)))
		return server.get_status;
	if (strcmp(path, "hosts") == 0) {
		answer_hosts(body);
		return 200;
	}
	if (server.retention_ms && parameter(path, "window", window, sizeof(window)) &&
	    atoll(window) * 1000 > server.retention_ms) {
		text_append_string(body, "{\"Response\": \"NOk\", \"error\": \"window is too long\"}");
		return 400;
	}
	/* Where memory lacks, libcurl 7.88 may lose what is behind the question mark. */
	if (!parameter(path, "by", window, sizeof(window)))
		text_append_string(body, "{\"a\": [1]}");
	else
		answer_detailed(path, body);
	return 200;
}

static bool give_answer(void *unused, const struct http_server_request *request, struct text *answer)
{
	(void)unused;
	static const char put[] = "PUT /ressources-usage/save-forecasts ";
	char path[2048];
	int status = 404;
	struct text body = TEXT_EMPTY;
	text_append_string(&body, "");
	if (sscanf(request->head, "GET /ressources-usage/%2047s", path) == 1) {
		status = answer_get(path, &body);
	} else if (strncmp(request->head, put, strlen(put)) == 0) {
		server.puts++;
		server.longest = request->body_length > server.longest ? request->body_length : server.longest;
		text_append(&server.put, request->body, request->body_length);
		status = server.put_status ? server.put_status : 200;
	}
	http_server_format(status, server.headers, body.data, answer);
	text_free(&body);
	return true;
}

static int start_server(void **state)
{
	(void)state;
	server.http = http_server_open();
	snprintf(server.url, sizeof(server.url), "%s/ressources-usage/", http_server_url(server.http));
	http_server_answer_by(server.http, give_answer, NULL);
	http_server_start(server.http);
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	http_server_close(server.http);
	text_free(&server.asked);
	text_free(&server.put);
	return 0;
}

/* Forgets all that it has and was asked. */
static int empty_server(void **state)
{
	(void)state;
	server.name_count = server.sample_count = 0;
	server.get_status = server.put_status = 0;
	server.headers = server.fail = NULL;
	server.retention_ms = 0;
	server.gets = server.puts = server.longest = 0;
	http_server_forget(server.http);
	text_reset(&server.asked);
	text_reset(&server.put);
	text_append_string(&server.asked, "");
	text_append_string(&server.put, "");
	return 0;
}

#endif
