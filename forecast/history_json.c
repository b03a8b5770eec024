#include "forecast/history_json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"

static int refuse(struct history_json *json, const char *wrong)
{
	json->wrong = wrong;
	return -EBADMSG;
}

static const char *skip_space(const char *at)
{
	while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
		at++;
	return at;
}

/* Takes `byte` and the white space around it; false when it is not there. */
static bool take(struct history_json *json, char byte)
{
	json->at = skip_space(json->at);
	if (*json->at != byte)
		return false;
	json->at = skip_space(json->at + 1);
	return true;
}

/* A name whose escapes are cJSON's to read. 1; 0: it is none or too long; -ENOMEM. */
static int unescape(const char *quoted, size_t length, char *ret_name, size_t size)
{
	cJSON *string = NULL;
	if (json_parse(quoted, length, &string) == -ENOMEM)
		return -ENOMEM;
	bool right = cJSON_IsString(string) && strlen(string->valuestring) < size;
	if (right)
		strcpy(ret_name, string->valuestring);
	cJSON_Delete(string);
	return right;
}

/*
 * Takes a member's name with its colon. 1; 0: taken, but of no use: empty, too long or
 * not UTF-8; -EBADMSG: there is none; -ENOMEM.
 */
static int take_name(struct history_json *json, char *ret_name, size_t size)
{
	const char *quoted = json->at;
	if (*quoted != '"')
		return refuse(json, "a name is missing");
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
		return refuse(json, "it ends in a name");
	size_t length = (size_t)(end - quoted) - 1;
	int right = length > 0 && wire_utf8_check(quoted + 1, length) == length;
	if (right && escaped) {
		right = unescape(quoted, length + 2, ret_name, size);
		if (right < 0)
			return right;
	} else if (right && length < size) {
		memcpy(ret_name, quoted + 1, length);
		ret_name[length] = '\0';
	} else {
		right = 0;
	}
	json->at = end + 1;
	if (!take(json, ':'))
		return refuse(json, "a colon is missing");
	return right && ret_name[0];
}

/* Passes over an array of arrays of numbers. */
static bool pass_points(struct history_json *json)
{
	const char *at = json->at;
	if (*at != '[')
		return false;
	json->point = at + 1;
	unsigned depth = 0;
	for (;; at++) {
		if (*at == '[')
			depth++;
		else if (*at == ']' && --depth == 0)
			break;
		else if (*at == '\0' || *at == '"' || *at == '{' || *at == '}')
			return false;
	}
	json->at = skip_space(at + 1);
	return true;
}

void history_json_open(struct history_json *json, const char *body)
{
	*json = (struct history_json){ .at = body };
}

/* Takes what stands before a member's name, or the object's end. 1; 0: its end; -EBADMSG. */
static int next_member(struct history_json *json)
{
	bool comma = json->comma;
	json->comma = true;
	if (take(json, '}'))
		return 0;
	if (comma && !take(json, ','))
		return refuse(json, "a comma is missing");
	return 1;
}

/* Enters the next host. 1; 0: there are no more; -EBADMSG; -ENOMEM. */
static int next_host(struct history_json *json)
{
	char name[WIRE_NAME_SIZE], ip[WIRE_IP_SIZE];
	int result = next_member(json);
	if (result == 0)
		return *json->at ? refuse(json, "there is more behind its end") : 0;
	if (result == 1)
		result = take_name(json, name, sizeof(name));
	if (result < 0)
		return result;
	if (!take(json, '{'))
		return refuse(json, "a host is no object");
	bool named = result == 1 && wire_ip_parse(name, ip);
	if (named && strcmp(ip, json->ip) <= 0)
		return refuse(json, "its hosts are not sorted");
	json->skipped += !named;
	strcpy(json->ip, named ? ip : "");
	json->process[0] = '\0';
	json->in_host = true;
	json->comma = false;
	return 1;
}

/* Goes on to the next process of the present host. 1; 0: there are no more, or only its
 * name is none; -EBADMSG; -ENOMEM. */
static int next_process(struct history_json *json)
{
	char name[WIRE_NAME_SIZE];
	int result = next_member(json);
	if (result == 0)
		json->in_host = false;
	if (result == 1)
		result = take_name(json, name, sizeof(name));
	if (result < 0 || !json->in_host)
		return result;
	if (!pass_points(json))
		return refuse(json, "a series is no list of points");
	if (!result || !json->ip[0]) {
		json->skipped += json->ip[0] != '\0';
		return 0;
	}
	if (strcmp(name, json->process) <= 0)
		return refuse(json, "its processes are not sorted");
	strcpy(json->process, name);
	return 1;
}

int history_json_next(struct history_json *json)
{
	if (!json->begun) {
		json->begun = true;
		if (!take(json, '{'))
			return refuse(json, "it is no JSON object");
	}
	for (;;) {
		while (json->in_host) {
			int result = next_process(json);
			if (result)
				return result;
		}
		int result = next_host(json);
		if (result <= 0)
			return result;
	}
}

/* A number of JSON; strtod() alone takes more. */
static bool read_number(const char **at, double *ret_number)
{
	const char *start = skip_space(*at), *behind = json_read_plain_number(start, ret_number);
	if (behind) {
		*at = skip_space(behind);
		return true;
	}
	size_t length = strspn(start, "0123456789.eE+-");
	if (length == 0 || start[0] == '.' || start[0] == '+' || start[0] == 'e' || start[0] == 'E')
		return false;
	char *end;
	*ret_number = strtod(start, &end);
	*at = skip_space(end);
	return end == start + length && isfinite(*ret_number);
}

int history_json_point(struct history_json *json, int64_t *ret_time_ms, double *ret_value)
{
	double seconds, value;
	const char *at = skip_space(json->point);
	if (*at == ']')
		return 0;
	if (*at != '[')
		return refuse(json, "a point is no pair");
	at++;
	if (!read_number(&at, &seconds) || *at++ != ',' || !read_number(&at, &value) || *at++ != ']')
		return refuse(json, "a point is no pair of numbers");
	if (fabs(seconds) > CLOCK_RFC3339_MAX_S)
		return refuse(json, "a point's time is none");
	at = skip_space(at);
	if (*at == ',' && *skip_space(at + 1) == '[')
		at++;
	else if (*at != ']')
		return refuse(json, "a comma is missing");
	json->point = at;
	*ret_time_ms = llrint(seconds * 1000);
	*ret_value = value;
	return 1;
}
