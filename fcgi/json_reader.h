/*
 * Goes through a JSON document member by member and item by item, and has cJSON read each
 * value that is wanted: the tree of a whole document, of which two bytes cost eighty,
 * never stands.
 *
 * Short keys without escapes, and plain numbers where whoever reads expects one, are read here, without a tree of their
 * own. What cJSON takes for JSON is taken here: white space is all up to 0x20, a byte order
 * mark may stand at the beginning. Pure but for memory; one thread uses a reader.
 */
#ifndef VIGIE_FCGI_JSON_READER_H
#define VIGIE_FCGI_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "fcgi/arena.h"

struct cJSON;

enum { JSON_READER_VALUE_MAX = 16 << 10 }; /* bytes of one value that cJSON reads */

struct json_reader {
	const char *at, *end;
	struct arena arena;   /* what was read last */
	bool first;           /* the next element is the first of the innermost array or object */
	bool too_long;        /* what failed may be JSON, but is longer than it may be */
};

/* Once, before any other call and before there are threads: sets how cJSON allocates in
 * this process. */
void json_reader_init(void);

/* `json` has `length` bytes and a NUL behind them, and no other; borrowed until closed. */
struct json_reader json_reader_open(const char *json, size_t length);
void json_reader_close(struct json_reader *reader);

/* Whether an array ('[') or an object ('{') is next; it is entered then. */
bool json_reader_enter(struct json_reader *reader, char bracket);

/*
 * Goes to the next element of the array or object that was entered last, which `closing`
 * ends. 1: it is there, to be read; 0: there is none, and the array or object is left.
 * -EBADMSG: this is no JSON at reader->at. What was read before is freed.
 */
int json_reader_next(struct json_reader *reader, char closing) __attribute__((warn_unused_result));

/* Reads the key of a member, up to its value. It may be changed, and is good until json_reader_next().
 * 0, -EBADMSG or -ENOMEM. */
int json_reader_key(struct json_reader *reader, char **ret_key) __attribute__((warn_unused_result));

/*
 * Reads a number of at most 15 digits without sign and exponent, as nearly all are: exactly what cJSON makes of it.
 * False: something else is next, for json_reader_value() to read.
 */
bool json_reader_plain_number(struct json_reader *reader, double *ret_number);

/* Reads a value as a whole. It may be changed, and is good until json_reader_next(). 0, -EBADMSG or -ENOMEM. */
int json_reader_value(struct json_reader *reader, const struct cJSON **ret_value) __attribute__((warn_unused_result));

/* Whether nothing is left. */
bool json_reader_at_end(struct json_reader *reader);

#endif
