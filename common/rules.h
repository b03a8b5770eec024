/*
 * Which limits hold for a series: the `rule =` lines of [alert], of which the
 * first that fits counts, and [alert]'s own limits for all other series.
 *
 *   rule = process=GLOB ip=GLOB resource=cpu|mem threshold= clear= raise_after= clear_after=
 *          amber_probability= amber_clear= horizon= mute=yes|no must_run=yes|no
 *
 * Words stand in any order and all may be missing: what is not named fits
 * everything, a limit that is not named is [alert]'s; must_run=yes needs a plain name for process=, and no resource=. A value with spaces stands
 * in double quotes, in which \" is a quote. Globs are fnmatch(3)'s, over bytes.
 * An address may be written in any of the forms that wire_ip_parse() takes; a glob
 * for ip= is of the canonical form, whose hexadecimal digits are small (a glob's may be large).
 *
 * Pure. Read-only once made, so threads may share it.
 */
#ifndef VIGIE_COMMON_RULES_H
#define VIGIE_COMMON_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/text.h"
#include "common/wire.h"

struct limits {
	double threshold;    /* percent; an alarm begins over it */
	double clear;        /* percent; it ends under this, never over `threshold` */
	int64_t raise_after; /* samples over the threshold in a row, at least 1 */
	int64_t clear_after; /* samples under `clear` in a row, at least 1 */
	int64_t horizon_ms;  /* how far ahead the forecast looks */
	bool mute;           /* no alarm is raised */
	double amber_probability; /* 0 to 1; an AMBER begins over it */
	double amber_clear;       /* 0 to 1; it ends under this, never over `amber_probability` */
};

struct rules;

/*
 * Reads the limits and rules of config->alert; `config` is not kept. `source` is
 * the file's name for messages, NULL where there is no file. Returns 0 with rules
 * to be freed with rules_free(); -EINVAL with a sentence in `ret_error` that names
 * the file, the line and the word; -ENOMEM.
 */
int rules_open(const struct config *config, const char *source, struct rules **ret_rules, struct text *ret_error)
	__attribute__((warn_unused_result));

void rules_free(struct rules *rules);

/* The glob of process= in a line of `rule =`, to be freed with free(); NULL where it has none, or is not right before it.
 * 0 or -ENOMEM. */
int rules_read_process(const char *rule, char **ret_glob) __attribute__((warn_unused_result));

/* The limits of a series; borrowed from `rules`. A host as a whole is WIRE_HOST_ITSELF and
 * RESOURCE_COUNT: rules for one resource are none for it. */
const struct limits *rules_find(const struct rules *rules, const char *ip, const char *process,
                                enum resource resource);

/* The limits of a process that must run on a host; borrowed from `rules`. NULL: it need not, or it is muted. */
const struct limits *rules_must_run(const struct rules *rules, const char *ip, const char *process);

/* The processes that must run on some hosts, each once: a walk, for which *at is 0 at first. NULL: there are no more. */
const char *rules_next_must_run(const struct rules *rules, size_t *at);

/* A value that is not over this is over no series' threshold: most samples need
 * no search. */
double rules_lowest_threshold(const struct rules *rules);

/* The same for a forecast's probability. */
double rules_lowest_amber_probability(const struct rules *rules);

/* No series that is not muted has a longer one. */
int64_t rules_longest_horizon(const struct rules *rules);

#endif
