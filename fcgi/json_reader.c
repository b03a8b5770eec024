#include "fcgi/json_reader.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where cJSON allocates in this thread while it parses. */
static _Thread_local struct arena *parsing;

static void *allocate(size_t size)
{
	return parsing ? arena_allocate(parsing, size) : malloc(size);
}

/* A tree is freed with its arena. */
static void release(void *bytes)
{
	if (!parsing)
		free(bytes);
}

void json_reader_init(void)
{
	cJSON_InitHooks(&(cJSON_Hooks){ .malloc_fn = allocate, .free_fn = release });
}

struct json_reader json_reader_open(const char *json, size_t length)
{
	static const char mark[] = "\xef\xbb\xbf";
	bool marked = strncmp(json, mark, strlen(mark)) == 0;
	return (struct json_reader){ .at = json + (marked ? strlen(mark) : 0), .end = json + length };
}

void json_reader_close(struct json_reader *reader)
{
	arena_free(&reader->arena);
}

/* The next byte that is no white space; 0 at the end. */
static char peek(struct json_reader *reader)
{
	while (reader->at < reader->end && (unsigned char)*reader->at <= ' ')
		reader->at++;
	return *reader->at;
}

bool json_reader_enter(struct json_reader *reader, char bracket)
{
	if (peek(reader) != bracket)
		return false;
	reader->at++;
	reader->first = true;
	return true;
}

int json_reader_next(struct json_reader *reader, char closing)
{
	bool first = reader->first;
	char next = peek(reader);
	arena_reset(&reader->arena);
	reader->first = false;
	if (next == closing) {
		reader->at++;
		return 0;
	}
	if (first)
		return 1;
	if (next != ',')
		return -EBADMSG;
	reader->at++;
	return 1;
}

int json_reader_value(struct json_reader *reader, const cJSON **ret_value)
{
	if ((unsigned char)peek(reader) == 0xef) /* cJSON would skip a byte order mark here */
		return -EBADMSG;
	size_t length = (size_t)(reader->end - reader->at) + 1; /* with its NUL */
	bool cut = length > JSON_READER_VALUE_MAX;
	const char *end = NULL;
	parsing = &reader->arena;
	const cJSON *value =
		cJSON_ParseWithLengthOpts(reader->at, cut ? JSON_READER_VALUE_MAX : length, &end, false);
	parsing = NULL;
	if (!value && reader->arena.failed)
		return -ENOMEM;
	if (end)
		reader->at = end;
	reader->too_long = !value && cut;
	if (!value)
		return -EBADMSG;
	*ret_value = value;
	return 0;
}

int json_reader_key(struct json_reader *reader, char **ret_key)
{
	const cJSON *key;
	if (peek(reader) != '"')
		return -EBADMSG;
	int result = json_reader_value(reader, &key);
	if (result)
		return result;
	if (peek(reader) != ':')
		return -EBADMSG;
	reader->at++;
	*ret_key = key->valuestring;
	return 0;
}

bool json_reader_at_end(struct json_reader *reader)
{
	peek(reader);
	return reader->at == reader->end;
}
