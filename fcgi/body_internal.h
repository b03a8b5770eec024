/*
 * What the parts of body.h share: body.c reads the object that a body is, body_items.c the items of its `data`,
 * body_tick.c the `processes` of a tick, body_kills.c its `oom_kills`, and body_values.c what they are made of.
 */
#ifndef VIGIE_FCGI_BODY_INTERNAL_H
#define VIGIE_FCGI_BODY_INTERNAL_H

#include <cjson/cJSON.h>

#include "fcgi/body.h"
#include "fcgi/json_reader.h"

/* Keys of an object whose meaning is not known here: each is looked for among those before it. */
enum { BODY_KEYS_MAX = 64 };

/* 2^31 rows of ten seconds: the year 2650. */
#define BODY_TIME_MAX_S 21474836470.0

#define BODY_TIME_BAD "timestamp is not a number of seconds since 1970"
#define BODY_TIME_MISSING "timestamp is missing"
#define BODY_KEY_TWICE "this key is there twice"

/* One body that is being parsed. */
struct parsing {
	const struct body_kind *kind;
	const struct body_times *times;
	struct json_reader reader;
	const char *json;
	struct body *body;
	struct body_error *error;
	size_t capacity; /* of the samples */
	size_t index;    /* of the item of `data` */

	bool has_data;
	bool is_tick; /* it has `processes` */
	enum { TICK_TIME_UNTOLD, TICK_TIME_BAD, TICK_TIME_GIVEN } tick_time;
	int64_t tick_ms;

	struct body_kill *kills; /* the last of `oom_kills`, in the arena; NULL: none */
	int64_t kills_ms;
};

/* What the three bodies differ in. */
struct body_kind {
	int (*parse_item)(struct parsing *parsing, const cJSON *object); /* appends the samples of an item of `data` */
	bool of_one_host; /* it has the members `ipaddress` and `collector`, and may be a tick */
};

extern const struct body_kind body_kind_samples, body_kind_alarms, body_kind_forecasts;

/* Reads the value of `data`, item by item. 0 or a negative errno. */
int body_parse_data(struct parsing *parsing);

/* Whether what is no JSON at all can be told from afar: then the rest need not be looked at. Changes what body.h says. 0 or
 * -EINVAL. */
int body_check_text(char *json, size_t length, struct body_error *error);

/* ---- body_tick.c ---- */

/* Reads the value of `processes`, process by process; the samples have no time yet. 0 or a negative errno. */
int body_parse_processes(struct parsing *parsing);

/* Takes the body's `timestamp`, which stands before or behind `processes`; it is looked at where that has samples. 0 or
 * -EINVAL. */
int body_read_tick_time(struct parsing *parsing, const cJSON *value);

/* Gives the samples of a tick its time, once the body has been read. 0 or -EINVAL. */
int body_date_tick(struct parsing *parsing);

/* ---- body_kills.c ---- */

/* Reads the value of `oom_kills`; its samples wait. 0 or a negative errno. */
int body_read_kills(struct parsing *parsing, const cJSON *value);

/* Appends the samples of `oom_kills`, behind all others, once the body has been read. 0 or a negative errno. */
int body_append_kills(struct parsing *parsing);

/* ---- body_values.c ---- */

/* Fill in the error; -EINVAL. */
int body_refuse(struct body_error *error, int status, const char *field, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Tells what the reader has failed with: -EINVAL for -EBADMSG; another failure stays. */
int body_fail_reading(const struct parsing *parsing, int result);

/* The keys of one object; borrowed. */
struct body_keys {
	const char *seen[BODY_KEYS_MAX];
	size_t count;
};

/* 0 for a key that is new, -EEXIST, or -E2BIG for one too many. */
int body_see_key(struct body_keys *keys, const char *key);

/* Tells what body_see_key() has found wrong; `prefix` is before the key: "collector.". -EINVAL. */
int body_refuse_key(struct body_error *error, int result, const char *prefix, const char *key);

/* Checks the keys of a whole value, where it is an object. 0 or -EINVAL. */
int body_check_keys(const cJSON *object, const char *prefix, struct body_error *error);

/* Makes a process name clean where it stands, and gives it; NULL when it is longer than a name may be. */
const char *body_clean_process(char *string);

/* A number from 0 to WIRE_VALUE_MAX. */
bool body_read_number(const cJSON *item, double *ret_number);

/* A time in seconds since 1970. */
bool body_read_time(const cJSON *item, int64_t *ret_time_ms);

/* Why no sample may have this time; NULL: it may. */
const char *body_time_fault(const struct body_times *times, int64_t time_ms);

/* A string of the batch: that of the sample before where it is the same, otherwise a copy. NULL: out of memory. */
const char *body_keep_string(struct body *body, const char *before, const char *string);

/* Appends a sample, whose strings live as long as the body. 0 or -ENOMEM. */
int body_append_sample(struct parsing *parsing, const struct sample *sample);

/* The same of one whose strings are those of the item that it is of. */
int body_add_sample(struct parsing *parsing, const struct sample *base, enum metric metric, double value);

/* Counts what the samples hold in the budget. 0 or -ENOBUFS. */
int body_count_samples(struct parsing *parsing);

/* Bytes of what a body holds in the budget's part. */
size_t body_size(const struct body *body);

/* ---- body_reason.c ---- */

/* What an item of save-forecasts has of it; NULL where it does not. */
struct body_reason_items {
	const cJSON *limit, *horizon_s, *why;
};

/* Keeps what an item says of the forecast whose first sample has the number `sample`, if it says anything. 0, -ENOMEM, or
 * -EINVAL with the name of the member that is not right. */
int body_parse_reason(struct body *body, size_t sample, const struct body_reason_items *items, const char **ret_wrong);

#endif
