#include "fcgi/json_reader.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

enum { PLAIN_MAX = 255 }; /* bytes of a string that is read without cJSON */

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

/* Reads a string; without cJSON where it is short and has no escapes, as nearly all keys. */
static int read_string(struct json_reader *reader, char **ret_string)
{
	const char *start = reader->at + 1;
	size_t length = strcspn(start, "\"\\");
	if (start[length] != '"' || length > PLAIN_MAX) {
		const cJSON *value;
		int result = json_reader_value(reader, &value);
		if (result == 0)
			*ret_string = value->valuestring;
		return result;
	}
	char *string = arena_allocate(&reader->arena, length + 1);
	if (!string)
		return -ENOMEM;
	memcpy(string, start, length);
	string[length] = '\0';
	reader->at = start + length + 1;
	*ret_string = string;
	return 0;
}

int json_reader_key(struct json_reader *reader, char **ret_key)
{
	char *key;
	if (peek(reader) != '"')
		return -EBADMSG;
	int result = read_string(reader, &key);
	if (result)
		return result;
	if (peek(reader) != ':')
		return -EBADMSG;
	reader->at++;
	*ret_key = key;
	return 0;
}

bool json_reader_plain_number(struct json_reader *reader, double *ret_number)
{
	peek(reader);
	const char *behind = json_read_plain_number(reader->at, ret_number);
	if (behind)
		reader->at = behind;
	return behind;
}

bool json_reader_at_end(struct json_reader *reader)
{
	peek(reader);
	return reader->at == reader->end;
}
