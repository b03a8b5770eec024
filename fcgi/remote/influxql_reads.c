#include "fcgi/remote/influxql_reads.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fcgi/remote/assembly.h"
#include "fcgi/remote/influxql.h"

enum {
	SERIES_DEPTH = 5,  /* of a series in an answer */
	HOSTS_PIECES = 32, /* of a window in which hosts are looked for, unless they are too long for the engine */
	HOSTS_PIECE_MIN_MS = 600000,
};

/* Who takes what an answer holds. */
struct reader {
	pieces_take *take_series;
	void *user;
	char error[REMOTE_WORDS_SIZE]; /* of a statement */
};

static int take_series(void *user, const cJSON *object)
{
	struct reader *reader = user;
	bool is_series = cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(object, "values")); /* a message has none */
	return is_series ? reader->take_series(reader->user, object) : 0;
}

static int take_frame(void *user, const cJSON *frame)
{
	struct reader *reader = user;
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(frame, "error");
	const cJSON *result;
	cJSON_ArrayForEach(result, cJSON_GetObjectItemCaseSensitive(frame, "results")) {
		if (!error)
			error = cJSON_GetObjectItemCaseSensitive(result, "error");
	}
	if (!cJSON_IsString(error))
		return 0;
	snprintf(reader->error, sizeof(reader->error), "%s", error->valuestring);
	return -EREMOTEIO;
}

int influxql_ask(struct influxql_reads *reads, enum remote_purpose purpose, const struct text *statement,
                 pieces_take *take, void *user, char ret_error[static REMOTE_WORDS_SIZE])
{
	struct reader reader = { .take_series = take, .user = user };
	struct pieces pieces = {
		.depth = SERIES_DEPTH, .take_piece = take_series, .take_frame = take_frame, .user = &reader,
	};
	struct text form = TEXT_EMPTY;
	text_append_string(&form, "chunked=true&epoch=ms&q=");
	http_append_escaped(&form, text_failed(statement) ? "" : statement->data);
	struct http_message message = remote_form(reads->query_url, &form);
	message.accept = "application/json";
	message.sink = pieces_feed;
	message.sink_end = pieces_end;
	message.sink_user = &pieces;
	int result = text_failed(&form) || text_failed(statement) ? -ENOMEM : 0;
	if (result == 0)
		result = remote_send(reads->remote, purpose, &message, NULL, ret_error);
	if (result == -EREMOTEIO || result == -EBADMSG) {
		snprintf(ret_error, REMOTE_WORDS_SIZE, "%s", reader.error);
		if (result == -EREMOTEIO && purpose == REMOTE_READ)
			result = remote_query_failed(reads->remote, reader.error);
		else if (purpose != REMOTE_READ)
			(void)remote_answer_failed(reads->remote, purpose, reader.error);
	}
	pieces_free(&pieces);
	text_free(&form);
	return result;
}

struct http_message influxql_probe(const char *query_url)
{
	static const char form[] = "q=SHOW+MEASUREMENTS";
	return (struct http_message){
		.method = "POST", .url = query_url, .body = form, .body_length = sizeof(form) - 1,
		.content_type = "application/x-www-form-urlencoded", .accept = "application/json",
	};
}

/* What takes the series of an answer. */
struct taker {
	struct assembly answer;
	enum assembly_column columns[2]; /* of the values behind the time */
};

static int take_values(void *user, const cJSON *series)
{
	struct taker *taker = user;
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(series, "name"));
	const cJSON *tags = cJSON_GetObjectItemCaseSensitive(series, "tags");
	const char *ip = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tags, "ip"));
	const char *process = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tags, "process"));
	enum half half;
	if (!process || !process[0] || !name || !assembly_find_half(&taker->answer, name, strlen(name), &half))
		return 0;
	int result = assembly_series(&taker->answer, ip ? ip : "", process);
	const cJSON *row;
	for (row = cJSON_GetObjectItemCaseSensitive(series, "values")->child; row && result == 0; row = row->next) {
		const cJSON *time = row->child;
		const cJSON *value = cJSON_IsNumber(time) ? time->next : NULL;
		for (int i = 0; value && i < 2 && result == 0; i++, value = value->next) {
			if (cJSON_IsNumber(value))
				result = assembly_fact(&taker->answer, half, taker->columns[i], time->valuedouble,
				                     value->valuedouble);
		}
	}
	return result;
}

/* Asks with one statement, which it frees. */
static int ask_statement(struct influxql_reads *reads, struct taker *taker, struct text *statement)
{
	char words[REMOTE_WORDS_SIZE] = "";
	int result = influxql_ask(reads, REMOTE_READ, statement, take_values, taker, words);
	text_free(statement);
	return result == -EINVAL ? assembly_refused(&taker->answer, words) : result;
}

/* Writes the statement that asks for an answer, or for a part of it. */
static void append_statement(struct text *statement, const struct taker *taker, size_t first, size_t end, bool usable)
{
	const struct query *query = taker->answer.query;
	switch (taker->answer.kind) {
	case ASSEMBLY_ROWS:
		influxql_append_mean(statement, query, first, end, usable);
		break;
	case ASSEMBLY_NEWEST:
		influxql_append_newest(statement, query, first, end, usable);
		break;
	case ASSEMBLY_HISTORY:
		influxql_append_history(statement, query, first, end, usable);
		break;
	}
}

/* Asks for all of an answer; for `usable` values alone. */
static int ask_all(struct influxql_reads *reads, struct taker *taker, bool usable)
{
	const struct query *query = taker->answer.query;
	bool named = query->only && query->only_count <= reads->names_max;
	size_t count = named ? query->only_count : 1;
	int result = 0;
	for (size_t first = 0; first < count && result == 0; first += reads->names_a_statement) {
		size_t left = count - first, end = first + (left < reads->names_a_statement ? left : reads->names_a_statement);
		struct text statement = TEXT_EMPTY;
		append_statement(&statement, taker, first, named ? end : first, usable);
		result = ask_statement(reads, taker, &statement);
	}
	return result;
}

/* Reads into the taker's answer, which is opened here. */
static int read_into(struct influxql_reads *reads, struct taker *taker, const struct query *query,
                     enum assembly_kind kind)
{
	int result = -EBADMSG;
	/* Where the mean of what others have written is beyond all numbers, the answer ends there with words that
	 * are no JSON (1.6.7), whatever is behind it: the second time without such values. */
	for (int i = 0; i < 2 && result == -EBADMSG; i++) {
		assembly_close(&taker->answer);
		result = assembly_open(&taker->answer, reads->engine, query, kind);
		if (result == 0 && !assembly_is_of_nothing(&taker->answer))
			result = ask_all(reads, taker, i > 0);
		if (result == 0 && i > 0)
			taker->answer.left_out++;
	}
	return result == -EBADMSG ? remote_answer_failed(reads->remote, REMOTE_READ, "") : result;
}

int influxql_read_mean(struct influxql_reads *reads, const struct query *query, struct store_rows *ret_rows)
{
	struct taker taker = { .columns = { ASSEMBLY_VALUE, ASSEMBLY_MAXIMUM } };
	int result = read_into(reads, &taker, query, ASSEMBLY_ROWS);
	if (result == 0)
		result = assembly_rows(&taker.answer, ret_rows);
	assembly_close(&taker.answer);
	return result;
}

int influxql_read_latest(struct influxql_reads *reads, const struct query *query, struct store_rows *ret_rows)
{
	struct taker taker = { 0 };
	int result = read_into(reads, &taker, query, ASSEMBLY_NEWEST);
	if (result == 0)
		result = assembly_rows(&taker.answer, ret_rows);
	assembly_close(&taker.answer);
	return result;
}

int influxql_read_hosts(struct influxql_reads *reads, int64_t from_ms, int64_t to_ms, struct store_hosts *ret_hosts)
{
	const struct query query = { .metric = METRIC_USAGE, .from_ms = from_ms, .to_ms = to_ms };
	int64_t window_ms = to_ms > from_ms ? to_ms - from_ms : 0, piece_ms = window_ms / HOSTS_PIECES + 1;
	if (!reads->hosts_window_ms)
		piece_ms = window_ms + 1;
	else if (piece_ms < reads->hosts_window_ms)
		piece_ms = reads->hosts_window_ms;
	struct taker taker = { 0 };
	int result = assembly_open(&taker.answer, reads->engine, &query, ASSEMBLY_NEWEST);
	for (struct query piece = query; piece.from_ms < to_ms && result == 0; piece.from_ms = piece.to_ms) {
		struct text statement = TEXT_EMPTY;
		piece.to_ms = to_ms - piece.from_ms > piece_ms ? piece.from_ms + piece_ms : to_ms;
		influxql_append_newest(&statement, &piece, 0, 0, false);
		result = ask_statement(reads, &taker, &statement);
		if (result == -EINVAL && reads->hosts_window_ms && piece_ms > HOSTS_PIECE_MIN_MS) {
			piece_ms /= 2; /* it would have read too many files */
			piece.to_ms = piece.from_ms;
			result = 0;
		}
	}
	if (result == -EBADMSG)
		result = remote_answer_failed(reads->remote, REMOTE_READ, "");
	if (result == 0)
		result = assembly_hosts(&taker.answer, ret_hosts);
	assembly_close(&taker.answer);
	return result;
}

int influxql_read_history(struct influxql_reads *reads, const struct query *query, struct store_history *ret_history)
{
	struct taker taker = { 0 };
	int result = read_into(reads, &taker, query, ASSEMBLY_HISTORY);
	if (result == 0)
		result = assembly_history(&taker.answer, ret_history);
	assembly_close(&taker.answer);
	return result;
}
