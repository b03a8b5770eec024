/*
 * vigie.conf: one INI file for all programs, a section each.
 *
 * Every option is one row of the table in config.c: its section and key, its
 * type, its bounds, its default and the sentence that describes it. A program
 * reads the whole file, so that a key that no program knows is an error wherever
 * it stands.
 *
 * A path of the file is relative to the folder of the file, whatever the working
 * directory is. One that names nothing there, but something in the working
 * directory, is taken from there with a warning. Paths of the command line and the
 * defaults are relative to the working directory.
 *
 * A struct config is read-only once loaded and may be shared by threads; a
 * reload makes a new one.
 */
#ifndef VIGIE_COMMON_CONFIG_H
#define VIGIE_COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

/* The values of a key that may stand several times, in the order of the file. */
struct config_list {
	char **values;
	int *lines; /* where each stands in the file; 0: on the command line */
	size_t count;
};

enum config_cpu_scale { CPU_SCALE_CORE, CPU_SCALE_MACHINE };
enum config_mem_scale { MEM_SCALE_MACHINE, MEM_SCALE_LIMIT };
enum config_name { NAME_COMM, NAME_UNIT, NAME_EXE };
enum config_gzip { GZIP_AUTO, GZIP_YES, GZIP_NO };

/* Strings are never NULL; "" where nothing is set. Paths of the file are absolute. */
struct config {
	struct {
		int64_t level; /* enum log_level */
	} log;
	struct {
		char *store;
		int64_t threads;  /* 0: 96 */
		int64_t max_body; /* bytes */
		struct config_list hosts; /* globs of names */
		int64_t connections_per_address; /* 0: no limit */
		int64_t memory;   /* bytes that requests may hold in all */
		int64_t interval_ms;
		int64_t retention_ms;
		int64_t max_series_per_host;
		int64_t max_series;
		int64_t max_points; /* of one answer */
		int64_t cache_ms;   /* how old an answer may be that is given again */
		int64_t store_timeout_ms;
		int64_t store_queue; /* bytes */
		char *store_ca_file;
		char *store_proxy; /* as in proxy_choose(), as the others are */
		bool manage_retention;
		char *write_tokens; /* files of tokens; "": everybody may */
		char *read_tokens;
		char *admin_tokens;
		char *store_place; /* where `store` is from, for messages: "vigie.conf:3", "command line" */
	} server;
	struct {
		char *path;
		int64_t detail_ms; /* 0: the retention */
	} sqlite;
	struct {
		char *url;
		char *database;
		char *token_file;
	} influxdb3;
	struct {
		char *url;
		char *org;
		char *bucket;
		char *token_file;
	} influxdb2;
	struct {
		char *url;
		char *database;
		char *user;
		char *password_file;
	} influxql;
	struct {
		char *insert_url; /* what /write is appended to */
		char *select_url; /* what /api/v1/query is appended to */
		char *user;
		char *password_file;
		char *token_file;
	} victoriametrics;
	struct {
		char *url; /* of the REST interface, with WIRE_PREFIX */
		char *ip;  /* "": the one the connection to the server uses */
		int64_t interval_ms;
		int64_t timeout_ms;
		int64_t name;      /* enum config_name */
		int64_t cpu_scale; /* enum config_cpu_scale */
		int64_t mem_scale; /* enum config_mem_scale */
		bool kernel_threads;
		bool io;
		struct config_list include; /* globs; empty: all */
		struct config_list exclude;
		int64_t top;     /* names sent, the highest of each resource; 0: all */
		double min_cpu;  /* percent */
		double min_mem;  /* percent */
		int64_t max_processes;
		char *spool; /* folder; "": none */
		int64_t spool_bytes;
		int64_t spool_age_ms;
		int64_t buffer_ticks; /* kept in memory where the spool cannot take them */
		int64_t gzip; /* enum config_gzip */
		char *ca_file;
		char *proxy;
		char *token_file;
	} collector;
	struct {
		char *url;
		int64_t interval_ms;
		int64_t phase_ms; /* after the boundary */
		int64_t deadline_ms; /* likewise */
		int64_t timeout_ms;
		char *ca_file;
		char *proxy;
		char *token_file;
		double threshold; /* percent */
		double clear;     /* percent */
		int64_t raise_after; /* ticks */
		int64_t clear_after; /* ticks */
		double amber_probability; /* 0 to 1 */
		double amber_clear;       /* 0 to 1 */
		int64_t horizon_ms;  /* of the forecasts */
		struct config_list rule;
		int64_t reminder_ms; /* 0: none */
		char *log;
		struct config_list alertmanager; /* URLs */
		char *hook; /* program; "": none */
		int64_t hook_timeout_ms;
		int64_t hook_wait_ms; /* 0: it is run for each line */
		char *state;
	} alert;
	struct {
		int64_t refresh_ms;
		char *url;
		int64_t step_ms;
		int64_t phase_ms; /* after the boundary */
		int64_t timeout_ms;
		char *ca_file;
		char *proxy;
		char *token_file;
		double above; /* percent of the limit */
		int64_t history_ms;
		int64_t long_horizon_ms; /* 0: none */
		char *model; /* "": the one built in */
		char *state;
	} forecast;
	struct config_list warnings; /* sentences for the log */
};

/*
 * Reads the file at `path` (NULL: the defaults alone) and then `overrides`, each
 * "section.key=value". Returns 0 with a configuration to be freed with
 * config_free(); -EINVAL for a file that is not right, -ENOMEM, or why it cannot be read,
 * with one sentence in `ret_error` that names the file, the line and the key.
 */
int config_load(const char *path, char *const overrides[], size_t override_count, struct config **ret_config,
                struct text *ret_error) __attribute__((warn_unused_result));

void config_free(struct config *config);

/* Adds a sentence for the log about a line of the file; 0: the command line. 0 or -ENOMEM. */
int config_add_warning(struct config *config, int line, const char *sentence) __attribute__((warn_unused_result));

/* Reads a duration as the file has them ("90s", "2d") in ms; false when it is none. */
bool config_parse_duration(const char *value, double *ret_ms);

/* Appends it as that reads it, in the largest unit that it is whole in. */
void config_print_duration(struct text *text, int64_t ms);

/* Appends the whole configuration in the file's own format, each option under its
 * description: what --print-config prints, and what the sample file is made of. */
void config_print(const struct config *config, struct text *text);

/* An option as a manual has it. The strings are constants. */
struct config_option {
	const char *section, *key, *help;
	const char *fallback; /* its default as the file would have it; NULL: it may stand several times */
};

/* The index-th option of the table, and appended to `values` what it takes: "a duration from
 * 1s to 1h", "" for any text. False when there are not so many. */
bool config_describe(size_t index, struct config_option *ret_option, struct text *values);

#endif
