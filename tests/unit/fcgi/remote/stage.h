/*
 * A store on a server that plays what a real engine has answered (recorded.h), and keeps what it was asked.
 */
#ifndef VIGIE_TESTS_FCGI_STAGE_H
#define VIGIE_TESTS_FCGI_STAGE_H

#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/http_server.h"
#include "tests/unit/fcgi/remote/recorded.h"
#include "tests/unit/fcgi/store_fixture.h"

#include <cjson/cJSON.h>

#define STAGE_TOKEN "a-token=="

/* One case: the server, and the store on it. */
struct stage {
	struct fixture f;
	struct http_server *server;
	const char *wire; /* the folder of the recordings */
};

/* The server is there, and does not serve yet. */
static inline struct stage *stage_open(const struct store_ops *ops, const char *wire)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	assert_non_null(stage);
	stage->wire = wire;
	stage->f.ops = ops;
	stage->f.now = STORE_LATEST_MS - STORE_AHEAD_MS; /* no bound for what hosts() asks for */
	temporary_folder_make(stage->f.folder);
	captured_stderr_begin();
	stage->server = http_server_open();
	return stage;
}

/* Closes the store, so that another can be opened in its place. */
static inline void stage_close_store(struct stage *stage)
{
	stage->f.ops->close(stage->f.store);
	stage->f.store = NULL;
	config_free(stage->f.config);
	stage->f.config = NULL;
}

static inline int stage_close(void **state)
{
	struct stage *stage = *state;
	stage->f.ops->close(stage->f.store);
	http_server_close(stage->server);
	captured_stderr_end();
	config_free(stage->f.config);
	temporary_folder_remove(stage->f.folder);
	free(stage);
	return 0;
}

/* Opens the store with a URL and a file of STAGE_TOKEN where these options are (NULL: there is none), and up to three
 * more, as in "server.retention=1d" (NULL at the end). */
static inline void stage_open_store(struct stage *stage, const char *url_option, const char *token_option,
                                    const char *const more[])
{
	char url[128], token_file[TEMPORARY_FOLDER_SIZE + 64], *options[8] = { url };
	struct text error = TEXT_EMPTY;
	size_t count = 1;
	snprintf(url, sizeof(url), "%s=%s/", url_option, http_server_url(stage->server));
	if (token_option) {
		snprintf(token_file, sizeof(token_file), "%s=%s/token", token_option, stage->f.folder);
		temporary_file_write(strchr(token_file, '=') + 1, STAGE_TOKEN "\n");
		options[count++] = token_file;
	}
	for (; *more; more++)
		options[count++] = (char *)(uintptr_t)*more;
	if (config_load(NULL, options, count, &stage->f.config, &error))
		fail_msg("%s", error.data);
	open_store(&stage->f);
}

/* ---- what the server answers from now on ---- */

static inline void answer_with(struct stage *stage, const char *start, int status, const char *body)
{
	struct text answer = TEXT_EMPTY;
	http_server_format(status, NULL, body, &answer);
	http_server_answer(stage->server, start, answer.data);
	text_free(&answer);
}

/* A file of the recordings; to be freed. */
static inline struct text stage_recorded(const struct stage *stage, const char *name, const char *kind)
{
	char path[128];
	snprintf(path, sizeof(path), "%s%s.%s", stage->wire, name, kind);
	return recorded(path);
}

/* A recording, with a string in the place of another (NULL: as it is). */
static inline void play_with(struct stage *stage, const char *start, const char *name, const char *from, const char *to)
{
	struct text answer = stage_recorded(stage, name, "response");
	if (from) {
		recorded_replace(&answer, from, to);
		answer_with(stage, start, 200, recorded_body(&answer)); /* its length is another now */
	} else {
		recorded_serve(stage->server, start, answer.data);
	}
	text_free(&answer);
}

static inline void play(struct stage *stage, const char *start, const char *name)
{
	play_with(stage, start, name, NULL, NULL);
}

/* ---- what it is asked ---- */

static inline int health(const struct stage *stage)
{
	return stage->f.ops->health(stage->f.store);
}

/* The first line of a recorded request. */
static inline const char *recorded_line(const struct stage *stage, const char *name)
{
	static char line[256];
	struct text request = stage_recorded(stage, name, "request");
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(request.data, "\r\n"), request.data);
	text_free(&request);
	return line;
}

static inline void assert_same_json(const char *json, const char *wanted)
{
	cJSON *one = cJSON_Parse(json), *other = cJSON_Parse(wanted);
	if (!one || !other || !cJSON_Compare(one, other, true))
		fail_msg("%s is not %s", json, wanted);
	cJSON_Delete(one);
	cJSON_Delete(other);
}

static inline int append_samples(struct stage *stage, struct sample samples[], size_t count,
                                 char words[static STORE_REFUSAL_SIZE])
{
	const struct batch batch = { .samples = samples, .count = count };
	const struct batch *const batches[] = { &batch };
	return stage->f.ops->append(stage->f.store, batches, 1, (struct moment){ .wall_ms = 1795357323000 }, words);
}

static inline int append_one(struct stage *stage, char words[static STORE_REFUSAL_SIZE])
{
	struct sample sample = SAMPLE("10.0.0.1", "bash", MEM, 1795357323000, 1.5);
	return append_samples(stage, &sample, 1, words);
}

/* Asks all four of the window that ends at `to`; the outputs stay as they are. */
static inline void assert_reads_fail(struct stage *stage, int64_t to, int wanted)
{
	struct fixture *f = &stage->f;
	union {
		struct store_rows rows;
		struct store_history history;
		struct store_hosts hosts;
		unsigned char bytes[sizeof(struct store_history)];
	} answer, untouched;
	memset(&untouched, 0x5a, sizeof(untouched));
	memcpy(&answer, &untouched, sizeof(answer));
	assert_int_equal(f->ops->mean(f->store, QUERY(f, 0, to), &answer.rows), wanted);
	assert_int_equal(f->ops->latest(f->store, QUERY(f, 0, to), &answer.rows), wanted);
	assert_int_equal(f->ops->history(f->store, QUERY(f, 0, to), &answer.history), wanted);
	assert_int_equal(f->ops->hosts(f->store, 0, STORE_LATEST_MS, &answer.hosts), wanted);
	assert_memory_equal(&answer, &untouched, sizeof(answer));
}

#endif
