#include "alert/alerts.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alert/alert_body.h"
#include "alert/fields.h"
#include "common/json.h"
#include "common/series_json.h"
#include "common/table.h"

#define FORMAT "vigie-alertmanager"

enum { VERSION = 1, KEY_SIZE = 2 + WIRE_IP_SIZE + 2 * WIRE_NAME_SIZE };

struct alert {
	struct alarm alarm; /* of one that has ended, as it was */
	char hostname[WIRE_NAME_SIZE]; /* "": not known */
	int64_t ended_ms;              /* 0: it stands */
	uint64_t version;              /* of its beginning or end */
	uint64_t seen_in;              /* update */
	UT_hash_handle hh;
	char key[KEY_SIZE]; /* the colour, the resource, the address, the process; and of what has ended the host's name, since
	                     * another may begin by another name */
};

struct alerts {
	struct alert *table;
	uint64_t version, update;
	size_t ended;
};

struct alerts *alerts_open(void)
{
	return calloc(1, sizeof(struct alerts));
}

static void drop(struct alerts *alerts, struct alert *alert)
{
	alerts->ended -= alert->ended_ms != 0;
	HASH_DEL(alerts->table, alert);
	free(alert);
}

void alerts_close(struct alerts *alerts)
{
	struct alert *alert, *next;
	if (!alerts)
		return;
	HASH_ITER(hh, alerts->table, alert, next)
		drop(alerts, alert);
	free(alerts);
}

/* The host's name is that of one that has ended; NULL: it stands. */
static size_t make_key(const struct alarm *alarm, const char *hostname, char ret_key[static KEY_SIZE])
{
	const char *const texts[] = { alarm->ip, alarm->process, hostname };
	size_t length = 0;
	ret_key[length++] = (char)alarm->color;
	ret_key[length++] = (char)alarm->resource;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && texts[i]; i++) {
		size_t size = strlen(texts[i]) + 1;
		memcpy(ret_key + length, texts[i], size);
		length += size;
	}
	return length;
}

static struct alert *find(const struct alerts *alerts, const struct alarm *alarm, const char *hostname)
{
	char key[KEY_SIZE];
	size_t length = make_key(alarm, hostname, key);
	struct alert *alert;
	HASH_FIND(hh, alerts->table, key, length, alert);
	return alert;
}

/* False: out of memory, and it is freed. */
static bool put(struct alerts *alerts, struct alert *alert)
{
	size_t length = make_key(&alert->alarm, alert->ended_ms ? alert->hostname : NULL, alert->key);
	HASH_ADD_KEYPTR(hh, alerts->table, alert->key, length, alert);
	if (!alert->hh.tbl) {
		free(alert);
		return false;
	}
	alerts->ended += alert->ended_ms != 0;
	return true;
}

/* NULL: out of memory. */
static struct alert *add(struct alerts *alerts, const struct alarm *alarm, const char *hostname, int64_t ended_ms)
{
	struct alert *alert = calloc(1, sizeof(*alert));
	if (!alert)
		return NULL;
	alert->alarm = *alarm;
	alert->ended_ms = ended_ms;
	strncpy(alert->hostname, hostname, sizeof(alert->hostname) - 1);
	return put(alerts, alert) ? alert : NULL;
}

/* Walks over all alarms that stand; NULL starts and ends it. Hosts come behind series. */
static const struct alarm *next_alarm(const struct states *states, const struct alarm *previous,
                                      const struct series_state **series, const struct host_state **host)
{
	if (!previous || *series) {
		do
			*series = states_next_series(states, *series);
		while (*series && (*series)->alarm.color == COLOR_GREEN);
		if (*series)
			return &(*series)->alarm;
	}
	do
		*host = states_next_host(states, *host);
	while (*host && (*host)->alarm.color == COLOR_GREEN);
	return *host ? &(*host)->alarm : NULL;
}

bool alerts_lack(const struct alerts *alerts, const struct states *states)
{
	const struct series_state *series = NULL;
	const struct host_state *host = NULL;
	const struct alarm *alarm = next_alarm(states, NULL, &series, &host);
	for (; alarm; alarm = next_alarm(states, alarm, &series, &host)) {
		if (!alarm->silenced_ms && !find(alerts, alarm, NULL))
			return true;
	}
	return false;
}

/* What was told as AMBER and is a RED that nobody is told of goes on as it is: its end would be told as one of the alarm. */
static void go_on_as_amber(struct alerts *alerts, const struct alarm *alarm)
{
	struct alarm amber = *alarm;
	amber.color = COLOR_ORANGE;
	struct alert *alert = alarm->color == COLOR_RED ? find(alerts, &amber, NULL) : NULL;
	if (alert)
		alert->seen_in = alerts->update;
}

static int update_one(struct alerts *alerts, const struct alarm *alarm, const struct hostnames *names)
{
	struct alert *alert = find(alerts, alarm, NULL);
	if (!alert) {
		if (alarm->silenced_ms)
			go_on_as_amber(alerts, alarm);
		if (!names || alarm->silenced_ms)
			return 0;
		const char *hostname = hostnames_find(names, alarm->ip);
		struct alert *before = find(alerts, alarm, hostname);
		if (before)
			drop(alerts, before);
		alert = add(alerts, alarm, hostname, 0);
		if (!alert)
			return -ENOMEM;
		alert->version = ++alerts->version;
	}
	alert->alarm = *alarm;
	alert->seen_in = alerts->update;
	return 0;
}

static void end(struct alerts *alerts, struct alert *alert, int64_t now_ms)
{
	if (alerts->ended >= ALERTS_ENDED_MAX) {
		drop(alerts, alert);
		return;
	}
	HASH_DEL(alerts->table, alert);
	alert->ended_ms = now_ms;
	alert->version = ++alerts->version;
	(void)!put(alerts, alert); /* without memory for it, it ends by itself */
}

int alerts_update(struct alerts *alerts, const struct states *states, const struct hostnames *names, int64_t now_ms)
{
	const struct series_state *series = NULL;
	const struct host_state *host = NULL;
	int result = 0;
	alerts->update++;
	const struct alarm *alarm = next_alarm(states, NULL, &series, &host);
	for (; alarm && !result; alarm = next_alarm(states, alarm, &series, &host))
		result = update_one(alerts, alarm, names);
	struct alert *alert, *next;
	HASH_ITER(hh, alerts->table, alert, next) {
		if (!result && !alert->ended_ms && alert->seen_in != alerts->update)
			end(alerts, alert, now_ms);
	}
	return result;
}

uint64_t alerts_version(const struct alerts *alerts)
{
	return alerts->version;
}

/* When it ended, which is not to come: where the clock has been set back since, that would raise it again until then. */
static int64_t ended_of(const struct alert *alert, int64_t now_ms)
{
	return alert->ended_ms < now_ms ? alert->ended_ms : now_ms;
}

/* An alert that begins behind its end, or in what is now to us the future, would be refused. */
static int64_t since_of(const struct alert *alert, int64_t now_ms)
{
	int64_t latest_ms = alert->ended_ms ? ended_of(alert, now_ms) : now_ms;
	return alert->alarm.since_ms < latest_ms ? alert->alarm.since_ms : latest_ms;
}

void alerts_format(const struct alerts *alerts, uint64_t version, int64_t now_ms, int64_t end_ms, const char *page,
                   struct text *bodies)
{
	size_t count = 0;
	for (const struct alert *alert = alerts->table; alert; alert = alert->hh.next) {
		if (alert->version <= version)
			continue;
		if (count > 0 && count % ALERTS_BODY_MAX == 0)
			text_append(bodies, "]", sizeof("]")); /* with its NUL */
		text_append_string(bodies, count % ALERTS_BODY_MAX == 0 ? "[" : ",\n");
		alert_body_append(&alert->alarm, alert->hostname, since_of(alert, now_ms),
		                  alert->ended_ms ? ended_of(alert, now_ms) : end_ms, page, bodies);
		count++;
	}
	text_append_string(bodies, count == 0 ? "[]" : "]");
}

void alerts_forget(struct alerts *alerts, uint64_t version, int64_t now_ms)
{
	struct alert *alert, *next;
	HASH_ITER(hh, alerts->table, alert, next) {
		alert->ended_ms = ended_of(alert, now_ms);
		int64_t age_ms = now_ms - alert->ended_ms;
		if (alert->ended_ms && age_ms > (alert->version <= version ? ALERTS_KEEP_MS : ALERTS_KEEP_MAX_MS))
			drop(alerts, alert);
	}
}

void alerts_save(const struct alerts *alerts, struct text *text)
{
	struct text line = TEXT_EMPTY;
	text_printf(text, "{\"format\": \"" FORMAT "\", \"version\": %d,\n\"alerts\": [", VERSION);
	const char *separator = "\n";
	for (const struct alert *alert = alerts->table; alert; alert = alert->hh.next) {
		const struct transition transition = { .word = alarm_word(&alert->alarm), .alarm = alert->alarm };
		text_reset(&line);
		fields_append(&transition, FIELDS_LINE, &line);
		text_printf(text, "%s{\"ended\": ", separator);
		json_append_seconds(text, alert->ended_ms);
		text_append_string(text, ", \"hostname\": ");
		json_append_string(text, alert->hostname);
		text_append_string(text, ", \"alarm\": ");
		json_append_string(text, text_or(&line, ""));
		text_append_char(text, '}');
		text->failed |= text_failed(&line);
		separator = ",\n";
	}
	text_free(&line);
	text_append_string(text, "]}\n");
}

/* 0, -EBADMSG or -ENOMEM. */
static int restore_one(struct alerts *alerts, const cJSON *item)
{
	struct transition transition;
	int64_t ended_ms;
	const cJSON *hostname = cJSON_GetObjectItemCaseSensitive(item, "hostname");
	const cJSON *line = cJSON_GetObjectItemCaseSensitive(item, "alarm");
	if (!cJSON_IsString(hostname) || strlen(hostname->valuestring) >= WIRE_NAME_SIZE || !cJSON_IsString(line) ||
	    !series_json_read_time(cJSON_GetObjectItemCaseSensitive(item, "ended"), &ended_ms) ||
	    !fields_parse(line->valuestring, strlen(line->valuestring), &transition) ||
	    transition.alarm.color == COLOR_GREEN ||
	    find(alerts, &transition.alarm, ended_ms ? hostname->valuestring : NULL))
		return -EBADMSG;
	struct alert *alert = add(alerts, &transition.alarm, hostname->valuestring, ended_ms);
	if (!alert)
		return -ENOMEM;
	alert->version = alerts->version = 1;
	return 0;
}

int alerts_restore(struct alerts *alerts, const char *content, size_t length, struct text *ret_error)
{
	cJSON *document = NULL;
	if (json_parse(content, length, &document) == -ENOMEM)
		return -ENOMEM;
	const cJSON *format = cJSON_GetObjectItemCaseSensitive(document, "format");
	const cJSON *version = cJSON_GetObjectItemCaseSensitive(document, "version");
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(document, "alerts");
	bool right = cJSON_IsString(format) && strcmp(format->valuestring, FORMAT) == 0 && cJSON_IsNumber(version) &&
	             version->valueint == VERSION && cJSON_IsArray(list);
	int result = right ? 0 : -EBADMSG;
	for (const cJSON *item = right ? list->child : NULL; item && !result; item = item->next)
		result = restore_one(alerts, item);
	if (result == -EBADMSG)
		text_append_string(ret_error, right ? "one of its alerts is not right" : "it is none of version 1");
	cJSON_Delete(document);
	return result;
}
