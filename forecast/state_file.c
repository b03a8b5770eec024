#include "forecast/state_file.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/table.h"
#include "common/whole_file.h"

#define FORMAT "vigie-forecast"
#define CLOCK "clock "

enum { VERSION = 2, KEY_SIZE = 1 + WIRE_IP_SIZE + WIRE_NAME_SIZE };

struct learnt {
	UT_hash_handle hh;
	char *line;
	int64_t age; /* refreshes that nobody has asked for it */
	char key[]; /* the resource, the address, a NUL, the name, a NUL */
};

static size_t make_key(const char *ip, const char *process, enum resource resource, char key[static KEY_SIZE])
{
	return 1 + (size_t)snprintf(key, KEY_SIZE, "%c%s%c%s", '0' + (int)resource, ip, '\0', process);
}

static struct learnt *find(struct learnt *learnt, const char *ip, const char *process, enum resource resource)
{
	char key[KEY_SIZE];
	size_t length = make_key(ip, process, resource, key);
	struct learnt *item;
	HASH_FIND(hh, learnt, key, length, item);
	return item;
}

static void drop(struct learnt **learnt, struct learnt *item)
{
	HASH_DEL(*learnt, item);
	free(item->line);
	free(item);
}

int learnt_put(struct learnt **learnt, const char *ip, const char *process, enum resource resource, const char *line)
{
	char key[KEY_SIZE];
	size_t length = make_key(ip, process, resource, key);
	struct learnt *old = find(*learnt, ip, process, resource);
	if (old)
		drop(learnt, old);
	struct learnt *item = calloc(1, sizeof(*item) + length);
	if (!item)
		return -ENOMEM;
	memcpy(item->key, key, length);
	item->line = strdup(line);
	if (item->line)
		HASH_ADD_KEYPTR(hh, *learnt, item->key, length, item);
	if (item->hh.tbl)
		return 0;
	free(item->line);
	free(item);
	return -ENOMEM;
}

char *learnt_take(struct learnt **learnt, const char *ip, const char *process, enum resource resource)
{
	struct learnt *item = find(*learnt, ip, process, resource);
	if (!item)
		return NULL;
	char *line = item->line;
	item->line = NULL;
	drop(learnt, item);
	return line;
}

void learnt_free(struct learnt **learnt)
{
	struct learnt *item, *next;
	HASH_ITER(hh, *learnt, item, next)
		drop(learnt, item);
}

size_t learnt_age(struct learnt **learnt, int64_t longest)
{
	size_t dropped = 0;
	struct learnt *item, *next;
	HASH_ITER(hh, *learnt, item, next) {
		if (++item->age > longest) {
			drop(learnt, item);
			dropped++;
		}
	}
	return dropped;
}

void state_file_begin(struct text *content, int64_t step_ms)
{
	text_printf(content, FORMAT " %d %lld\n", VERSION, (long long)step_ms);
}

void state_file_add_mark(struct text *content, const struct sure_clock_mark *mark)
{
	text_printf(content, CLOCK "%llu %lld %lld\n", (unsigned long long)mark->boot, (long long)mark->moment.wall_ms,
	            (long long)mark->moment.boot_ms);
}

static void add(struct text *content, int64_t age, const char *ip, const char *process, enum resource resource,
                const char *line)
{
	text_printf(content, "%lld %s %s ", (long long)age, ip, wire_resource_name(resource));
	json_append_string(content, process);
	text_append_char(content, ' ');
	text_append_string(content, line);
	text_append_char(content, '\n');
}

void state_file_add(struct text *content, const char *ip, const char *process, enum resource resource,
                    const char *line)
{
	add(content, 0, ip, process, resource, line);
}

size_t state_file_add_learnt(struct text *content, const struct learnt *learnt)
{
	size_t count = 0;
	for (const struct learnt *item = learnt; item; item = item->hh.next, count++) {
		const char *ip = item->key + 1;
		add(content, item->age, ip, ip + strlen(ip) + 1, (enum resource)(item->key[0] - '0'), item->line);
	}
	return count;
}

void state_file_end(struct text *content, size_t count)
{
	text_printf(content, "end %zu\n", count);
}

/* Takes a word of at most size - 1 bytes and the space behind it. */
static bool take_word(char **at, char *ret_word, size_t size)
{
	size_t length = strcspn(*at, " ");
	if (length == 0 || length >= size || (*at)[length] != ' ')
		return false;
	memcpy(ret_word, *at, length);
	ret_word[length] = '\0';
	*at += length + 1;
	return true;
}

/* 0, -EBADMSG or -ENOMEM. */
static int take_process(char **at, char ret_process[static WIRE_NAME_SIZE])
{
	const char *end;
	errno = 0; /* cJSON does not tell want of memory from what is no JSON; malloc() does */
	cJSON *string = **at == '"' ? cJSON_ParseWithOpts(*at, &end, false) : NULL;
	if (!string && errno == ENOMEM)
		return -ENOMEM;
	bool right = cJSON_IsString(string) && *end == ' ';
	size_t length = right ? strlen(string->valuestring) : 0;
	right = right && length > 0 && length <= WIRE_NAME_MAX &&
	        wire_utf8_check(string->valuestring, length) == length;
	if (right) {
		memcpy(ret_process, string->valuestring, length + 1);
		*at += end + 1 - *at;
	}
	cJSON_Delete(string);
	return right ? 0 : -EBADMSG;
}

static bool take_age(char **at, int64_t *ret_age)
{
	char word[16], *end;
	if (!take_word(at, word, sizeof(word)) || strspn(word, "0123456789") != strlen(word))
		return false;
	*ret_age = strtoll(word, &end, 10);
	return true;
}

/* 0, -EEXIST for a series that is there already, -EBADMSG or -ENOMEM. */
static int parse_line(char *at, int version, struct learnt **learnt)
{
	char word[WIRE_IP_SIZE], ip[WIRE_IP_SIZE], process[WIRE_NAME_SIZE];
	enum resource resource;
	int64_t age = 0;
	if (version > 1 && !take_age(&at, &age))
		return -EBADMSG;
	if (!take_word(&at, word, sizeof(word)) || !wire_ip_parse(word, ip) || !take_word(&at, word, sizeof(word)) ||
	    !wire_limited_parse(word, &resource))
		return -EBADMSG;
	int result = take_process(&at, process);
	if (result || !*at)
		return result ? result : -EBADMSG;
	if (find(*learnt, ip, process, resource))
		return -EEXIST;
	result = learnt_put(learnt, ip, process, resource, at);
	if (!result)
		find(*learnt, ip, process, resource)->age = age;
	return result;
}

static bool read_mark(const char *line, struct sure_clock_mark *ret_mark)
{
	unsigned long long boot;
	long long wall_ms, boot_ms;
	int end = 0;
	if (sscanf(line, CLOCK "%llu %lld %lld%n", &boot, &wall_ms, &boot_ms, &end) != 3 || (line[end] && line[end] != '\n'))
		return false;
	*ret_mark = (struct sure_clock_mark){ .boot = boot, .moment = { .wall_ms = wall_ms, .boot_ms = boot_ms } };
	return true;
}

/* 0, -EBADMSG or -ESTALE. */
static int parse_head(const char *line, int64_t step_ms, int *ret_version, struct text *ret_error)
{
	int version = 0, end = 0;
	long long found_ms = 0;
	if (strncmp(line, FORMAT " ", strlen(FORMAT) + 1) != 0) {
		text_append_string(ret_error, "it does not begin with \"" FORMAT "\"");
		return -EBADMSG;
	}
	if (sscanf(line, FORMAT " %d %lld%n", &version, &found_ms, &end) != 2 || line[end] || version < 1 || version > VERSION) {
		text_printf(ret_error, "its version is none from 1 to %d", VERSION);
		return -EBADMSG;
	}
	*ret_version = version;
	if (found_ms == step_ms)
		return 0;
	text_append_string(ret_error, "it is of another step");
	return -ESTALE;
}

/* All lines of `text`, which is changed. */
static int parse_lines(char *text, int64_t step_ms, struct learnt **learnt, struct text *ret_error)
{
	size_t number = 0, count = 0;
	int version = 0;
	/* Earlier versions took two ways to write one address for two hosts: the first of them counts. */
	bool twice = strstr(text, WIRE_IP_MAPPED);
	for (char *line = text, *next; *line; line = next) {
		char *end = strchr(line, '\n');
		number++;
		if (!end)
			break;
		*end = '\0';
		next = end + 1;
		char last[32];
		snprintf(last, sizeof(last), "end %zu", count);
		if (number > 1 && strcmp(line, last) == 0 && !*next)
			return 0;
		struct sure_clock_mark mark;
		bool clock = number == 2 && version > 1 && read_mark(line, &mark);
		int result = number == 1 ? parse_head(line, step_ms, &version, ret_error) :
		             clock ? 0 : parse_line(line, version, learnt);
		if (result == -EEXIST)
			result = twice ? 0 : -EBADMSG;
		if (result == -EBADMSG && !ret_error->length)
			text_printf(ret_error, "line %zu is not right", number);
		if (result)
			return result;
		count += number > 1 && !clock;
	}
	text_append_string(ret_error, number ? "it is cut short" : "it is empty");
	return -EBADMSG;
}

int state_file_parse(const struct text *content, int64_t step_ms, struct learnt **learnt, struct text *ret_error)
{
	struct text copy = TEXT_EMPTY;
	text_append(&copy, content->data, content->length);
	int result = text_failed(&copy) ? -ENOMEM : 0;
	if (!result && strlen(copy.data) != copy.length) {
		text_append_string(ret_error, "it has a zero byte");
		result = -EBADMSG;
	}
	if (!result)
		result = parse_lines(copy.data, step_ms, learnt, ret_error);
	if (result)
		learnt_free(learnt);
	text_free(&copy);
	return result;
}

int state_file_read(const char *path, int64_t step_ms, struct learnt **learnt, struct sure_clock_mark *mark,
                    struct text *ret_error)
{
	struct text content = TEXT_EMPTY;
	int result = whole_file_read(path, &content);
	const char *second = content.data ? strchr(content.data, '\n') : NULL;
	if (!result)
		result = state_file_parse(&content, step_ms, learnt, ret_error);
	if (!result && mark && second)
		(void)read_mark(second + 1, mark);
	else if (result == -ENOENT)
		result = 0;
	text_free(&content);
	return result;
}
