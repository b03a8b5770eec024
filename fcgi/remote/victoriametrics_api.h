/*
 * VictoriaMetrics' HTTP API: where its answers are asked for, the forms that ask, and what
 * an answer gives, a series at a time.
 *
 * docs.victoriametrics.com/url-examples.html. Answers are held back and cached unless
 * `nocache` and `latency_offset` say otherwise. A query finds at most
 * -search.maxUniqueTimeseries series. Any thread may ask; one uses a form and a taker.
 */
#ifndef VIGIE_FCGI_REMOTE_VICTORIAMETRICS_API_H
#define VIGIE_FCGI_REMOTE_VICTORIAMETRICS_API_H

#include "fcgi/remote/assembly.h"
#include "fcgi/remote/remote.h"

struct cJSON;

struct victoriametrics_api {
	struct remote *remote;
	char *query_url, *range_url, *export_url, *labels_url, *flags_url;
};

/* 0 or -ENOMEM; freed with victoriametrics_api_free() in any case. The remote is the
 * caller's to open and close. */
int victoriametrics_api_init(struct victoriametrics_api *api, const char *select_url) __attribute__((warn_unused_result));
void victoriametrics_api_free(struct victoriametrics_api *api);

/* What takes the series of an answer into one of ours. */
struct victoriametrics_taker {
	struct assembly answer;
	int (*take)(struct victoriametrics_taker *taker, const struct cJSON *series);
	enum half half;      /* where the series does not say it, as the column */
	enum assembly_column column;
	int64_t end_ms; /* what is not before it was not asked for */
};

/* A form in the place of what the text holds, and its parameters. */
void victoriametrics_form_begin(struct text *form);
void victoriametrics_form_add(struct text *form, const char *name, const struct text *value);
void victoriametrics_form_add_time(struct text *form, const char *name, int64_t time_ms);

/* Posts a form to one of the URLs, and gives the series of the answer to the taker. 0, what
 * remote_send() or the taker returns, or -E2BIG when the engine says that it is more than it
 * reads for one query. */
int victoriametrics_ask(const struct victoriametrics_api *api, const char *url, const struct text *form,
                        struct victoriametrics_taker *taker) __attribute__((warn_unused_result));

/* The end of a range that has all until and with end_ms: in 1.79.5 one that ends with a midnight of UTC lacks the series
 * that begin at that very time (findings/victoriametrics-midnight.sh). */
int64_t victoriametrics_end(int64_t end_ms);

/* The same for the value of an expression at a time; it sets the taker's end. */
int victoriametrics_ask_instant(const struct victoriametrics_api *api, const struct text *expression, int64_t time_ms,
                                struct victoriametrics_taker *taker) __attribute__((warn_unused_result));

/* A label of a series, "" where it has none. */
const char *victoriametrics_label(const struct cJSON *series, const char *name);

/* A point of a series, of an instant query or of a range. */
struct victoriametrics_point {
	const struct cJSON *pair; /* [seconds, "value"]; NULL before the first */
	double time_ms, value;
};

/* The next one before the taker's end; false behind the last. */
bool victoriametrics_next_point(const struct victoriametrics_taker *taker, const struct cJSON *series,
                                struct victoriametrics_point *point);

/* Takers: of a series of an instant query or of a range; of an export. */
int victoriametrics_take_result(struct victoriametrics_taker *taker, const struct cJSON *series);
int victoriametrics_take_export(struct victoriametrics_taker *taker, const struct cJSON *series);

#endif
