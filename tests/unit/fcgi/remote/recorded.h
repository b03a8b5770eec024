/*
 * Recorded answers of real engines, in tests/data/ (its README files say of which). The
 * tests run in the project's folder.
 */
#ifndef VIGIE_TESTS_FCGI_RECORDED_H
#define VIGIE_TESTS_FCGI_RECORDED_H

#include "tests/unit/fcgi/helpers.h"
#include "tests/unit/support/http_server.h"

#define INFLUXDB2_WIRE "tests/data/influxdb2-wire/"
#define INFLUXDB3_WIRE "tests/data/influxdb3-wire/"

/* A whole file; to be freed. */
static inline struct text recorded(const char *path)
{
	char piece[4096];
	size_t length;
	struct text text = TEXT_EMPTY;
	FILE *file = fopen(path, "re");
	if (!file)
		fail_msg("%s: cannot be read; the tests run in the project's folder", path);
	while ((length = fread(piece, 1, sizeof(piece), file)) > 0)
		text_append(&text, piece, length);
	fclose(file);
	text_append_string(&text, ""); /* of an engine that closed the connection there is nothing */
	assert_false(text_failed(&text));
	return text;
}

/* Behind the headers, which end their lines with or without a carriage return. */
static inline const char *recorded_body(const struct text *text)
{
	const char *end = strstr(text->data, "\r\n\r\n");
	if (end)
		return end + 4;
	end = strstr(text->data, "\n\n");
	assert_non_null(end);
	return end + 2;
}

/* Writes another string in the place of each `from`. */
static inline void recorded_replace(struct text *text, const char *from, const char *to)
{
	struct text changed = TEXT_EMPTY;
	const char *at = text->data;
	for (const char *found = strstr(at, from); found; found = strstr(at, from)) {
		text_append(&changed, at, (size_t)(found - at));
		text_append_string(&changed, to);
		at = found + strlen(from);
	}
	text_append_string(&changed, at);
	assert_false(text_failed(&changed));
	text_free(text);
	*text = changed;
}

/* From now on the server gives an answer to requests that begin with `start`: in chunks where its headers say so,
 * since recordings are without the frames of chunks. */
static inline void recorded_serve(struct http_server *server, const char *start, const char *answer)
{
	enum { CHUNK = 100 };
	struct text framed = TEXT_EMPTY;
	const char *body = strstr(answer, "\r\n\r\n");
	if (!body || !strcasestr(answer, "\r\nTransfer-Encoding: chunked\r\n")) {
		http_server_answer(server, start, answer);
		return;
	}
	body += 4;
	text_append(&framed, answer, (size_t)(body - answer));
	while (*body) {
		size_t length = strnlen(body, CHUNK);
		text_printf(&framed, "%zx\r\n%.*s\r\n", length, (int)length, body);
		body += length;
	}
	text_append_string(&framed, "0\r\n\r\n");
	http_server_answer(server, start, framed.data);
	text_free(&framed);
}

#endif
