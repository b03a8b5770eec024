#include "forecast/history_json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 253402300799.0 /* 9999-12-31T23:59:59Z */

static int refuse(struct history_json *answer, const char *wrong)
{
	answer->wrong = wrong;
	return -EBADMSG;
}

static const char *skip_space(const char *at)
{
	while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
		at++;
	return at;
}

/* Takes `byte` and the white space around it; false when it is not there. */
static bool take(struct history_json *answer, char byte)
{
	answer->at = skip_space(answer->at);
	if (*answer->at != byte)
		return false;
	answer->at = skip_space(answer->at + 1);
	return true;
}

/* A name whose escapes are cJSON's to read; false when it is none or too long. */
static bool unescape(const char *quoted, size_t length, char *ret_name, size_t size)
{
	cJSON *string = cJSON_ParseWithLength(quoted, length);
	bool right = cJSON_IsString(string) && strlen(string->valuestring) < size;
	if (right)
		strcpy(ret_name, string->valuestring);
	cJSON_Delete(string);
	return right;
}

/*
 * Takes a member's name with its colon. 1; 0: taken, but of no use: empty, too long or
 * not UTF-8; -EBADMSG: there is none.
 */
static int take_name(struct history_json *answer, char *ret_name, size_t size)
{
	const char *quoted = answer->at;
	if (*quoted != '"')
		return refuse(answer, "a name is missing");
	const char *end = quoted + 1;
	bool escaped = false;
	for (; *end && *end != '"'; end++) {
		if (*end != '\\')
			continue;
		escaped = true;
		end++;
		if (!*end)
			break;
	}
	if (!*end)
		return refuse(answer, "it ends in a name");
	size_t length = (size_t)(end - quoted) - 1;
	bool right = length > 0 && wire_utf8_check(quoted + 1, length) == length;
	if (right && escaped) {
		right = unescape(quoted, length + 2, ret_name, size);
	} else if (right && length < size) {
		memcpy(ret_name, quoted + 1, length);
		ret_name[length] = '\0';
	} else {
		right = false;
	}
	answer->at = end + 1;
	if (!take(answer, ':'))
		return refuse(answer, "a colon is missing");
	return right && ret_name[0];
}

/* Passes over an array of arrays of numbers. */
static bool pass_points(struct history_json *answer)
{
	const char *at = answer->at;
	if (*at != '[')
		return false;
	answer->point = at + 1;
	unsigned depth = 0;
	for (;; at++) {
		if (*at == '[')
			depth++;
		else if (*at == ']' && --depth == 0)
			break;
		else if (*at == '\0' || *at == '"' || *at == '{' || *at == '}')
			return false;
	}
	answer->at = skip_space(at + 1);
	return true;
}

void history_json_open(struct history_json *answer, const char *body)
{
	*answer = (struct history_json){ .at = body };
}

/* Takes what stands before a member's name, or the object's end. 1; 0: its end; -EBADMSG. */
static int next_member(struct history_json *answer)
{
	bool comma = answer->comma;
	answer->comma = true;
	if (take(answer, '}'))
		return 0;
	if (comma && !take(answer, ','))
		return refuse(answer, "a comma is missing");
	return 1;
}

/* Enters the next host. 1; 0: there are no more; -EBADMSG. */
static int next_host(struct history_json *answer)
{
	char name[WIRE_NAME_SIZE], ip[WIRE_IP_SIZE];
	int result = next_member(answer);
	if (result == 0)
		return *answer->at ? refuse(answer, "there is more behind its end") : 0;
	if (result == 1)
		result = take_name(answer, name, sizeof(name));
	if (result < 0)
		return result;
	if (!take(answer, '{'))
		return refuse(answer, "a host is no object");
	bool named = result == 1 && wire_ip_parse(name, ip);
	if (named && strcmp(ip, answer->ip) <= 0)
		return refuse(answer, "its hosts are not sorted");
	answer->skipped += !named;
	strcpy(answer->ip, named ? ip : "");
	answer->process[0] = '\0';
	answer->in_host = true;
	answer->comma = false;
	return 1;
}

/* Goes on to the next process of the present host. 1; 0: there are no more, or only its
 * name is none; -EBADMSG. */
static int next_process(struct history_json *answer)
{
	char name[WIRE_NAME_SIZE];
	int result = next_member(answer);
	if (result == 0)
		answer->in_host = false;
	if (result == 1)
		result = take_name(answer, name, sizeof(name));
	if (result < 0 || !answer->in_host)
		return result;
	if (!pass_points(answer))
		return refuse(answer, "a series is no list of points");
	if (!result || !answer->ip[0]) {
		answer->skipped += answer->ip[0] != '\0';
		return 0;
	}
	if (strcmp(name, answer->process) <= 0)
		return refuse(answer, "its processes are not sorted");
	strcpy(answer->process, name);
	return 1;
}

int history_json_next(struct history_json *answer)
{
	if (!answer->begun) {
		answer->begun = true;
		if (!take(answer, '{'))
			return refuse(answer, "it is no JSON object");
	}
	for (;;) {
		while (answer->in_host) {
			int result = next_process(answer);
			if (result)
				return result;
		}
		int result = next_host(answer);
		if (result <= 0)
			return result;
	}
}

/* A number of JSON; strtod() alone takes more. */
static bool read_number(const char **at, double *ret_number)
{
	const char *start = skip_space(*at);
	size_t length = strspn(start, "0123456789.eE+-");
	if (length == 0 || start[0] == '.' || start[0] == '+' || start[0] == 'e' || start[0] == 'E')
		return false;
	char *end;
	*ret_number = strtod(start, &end);
	*at = skip_space(end);
	return end == start + length && isfinite(*ret_number);
}

int history_json_point(struct history_json *answer, int64_t *ret_time_ms, double *ret_value)
{
	double seconds, value;
	const char *at = skip_space(answer->point);
	if (*at == ']')
		return 0;
	if (*at != '[')
		return refuse(answer, "a point is no pair");
	at++;
	if (!read_number(&at, &seconds) || *at++ != ',' || !read_number(&at, &value) || *at++ != ']')
		return refuse(answer, "a point is no pair of numbers");
	if (fabs(seconds) > SECONDS_MAX)
		return refuse(answer, "a point's time is none");
	at = skip_space(at);
	if (*at == ',' && *skip_space(at + 1) == '[')
		at++;
	else if (*at != ']')
		return refuse(answer, "a comma is missing");
	answer->point = at;
	*ret_time_ms = llrint(seconds * 1000);
	*ret_value = value;
	return 1;
}
