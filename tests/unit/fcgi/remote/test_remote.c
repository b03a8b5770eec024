/* fcgi/remote/remote.h over a server that answers what the case wants */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/http_server.h"
#include "tests/unit/fcgi/helpers.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "fcgi/remote/remote.h"

enum { THREADS = 8, ROUNDS = 50 };

/* The store of the test: its set-up is one request. */
struct store {
	struct remote *remote;
	char ping_url[128], write_url[128], read_url[128];
	atomic_uint set_ups;
};

#define PING "GET /ping "
#define WRITE "POST /write "
#define READ "GET /read "

#define NO_CONTENT "HTTP/1.1 204 No Content\r\n\r\n"
#define REFUSED "HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nwho?"

static int set_up(struct store *store)
{
	char words[REMOTE_WORDS_SIZE];
	const struct http_message message = { .method = "GET", .url = store->ping_url };
	atomic_fetch_add(&store->set_ups, 1);
	return remote_send(store->remote, REMOTE_SET_UP, &message, NULL, words);
}

struct stage {
	char folder[TEMPORARY_FOLDER_SIZE], token_file[TEMPORARY_FOLDER_SIZE + 16], password_file[TEMPORARY_FOLDER_SIZE + 16];
	struct http_server *server;
	struct config *config;
	struct store store;
};

static int set_stage(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	assert_non_null(stage);
	temporary_folder_make(stage->folder);
	snprintf(stage->token_file, sizeof(stage->token_file), "%s/token", stage->folder);
	snprintf(stage->password_file, sizeof(stage->password_file), "%s/password", stage->folder);
	captured_stderr_begin();
	stage->config = config_in(stage->folder, NULL);
	stage->server = http_server_open();
	http_server_answer(stage->server, "", NO_CONTENT);
	snprintf(stage->store.ping_url, sizeof(stage->store.ping_url), "%s/ping", http_server_url(stage->server));
	snprintf(stage->store.write_url, sizeof(stage->store.write_url), "%s/write", http_server_url(stage->server));
	snprintf(stage->store.read_url, sizeof(stage->store.read_url), "%s/read", http_server_url(stage->server));
	*state = stage;
	return 0;
}

static int clear_stage(void **state)
{
	struct stage *stage = *state;
	remote_close(stage->store.remote);
	http_server_close(stage->server);
	captured_stderr_end();
	config_free(stage->config);
	temporary_folder_remove(stage->folder);
	free(stage);
	return 0;
}

#define STAGED(name) cmocka_unit_test_setup_teardown(name, set_stage, clear_stage)

static void open_as(struct stage *stage, const struct remote_identity *identity)
{
	assert_int_equal(remote_open("fake", stage->config, identity, &stage->store.remote), 0);
	const struct http_message probe = { .method = "GET", .url = stage->store.ping_url };
	assert_int_equal(remote_start(stage->store.remote, set_up, &probe, &stage->store), 0);
}

static void open_as_anybody(struct stage *stage)
{
	open_as(stage, &(struct remote_identity){ 0 });
}

static int health(const struct stage *stage)
{
	return remote_health(stage->store.remote);
}

static int write_once(struct stage *stage, char words[static REMOTE_WORDS_SIZE])
{
	const struct http_message message = { .method = "POST", .url = stage->store.write_url, .body = "a", .body_length = 1 };
	return remote_send(stage->store.remote, REMOTE_WRITE, &message, NULL, words);
}

static int read_once(struct stage *stage, http_sink *sink, struct text *body, char words[static REMOTE_WORDS_SIZE])
{
	const struct http_message message = { .method = "GET", .url = stage->store.read_url, .sink = sink };
	return remote_send(stage->store.remote, REMOTE_READ, &message, body, words);
}

/* ---- addresses ---- */

static void test_remote_url_base_path_and_parameters_are_joined(void **state)
{
	(void)state;
	static const struct {
		const char *base, *path, *parameters[7], *wanted;
	} cases[] = {
		{ "http://h:1", "/write", { NULL }, "http://h:1/write" },
		{ "http://h:1/", "/write", { NULL }, "http://h:1/write" },
		{ "http://h:1///", "/write", { NULL }, "http://h:1/write" },
		{ "http://h/insert/0/influx/", "/write", { "precision", "ms", NULL }, "http://h/insert/0/influx/write?precision=ms" },
		{ "https://h", "/q", { "a", "1", "b", "2", "c", "3", NULL }, "https://h/q?a=1&b=2&c=3" },
		{ "http://h", "/q", { "a", "", NULL }, "http://h/q?a=" },
		{ "http://h", "/q", { "a", "x y&b=c?d/e%f+\"#\xc3\xa9", NULL },
		  "http://h/q?a=x%20y%26b%3Dc%3Fd%2Fe%25f%2B%22%23%C3%A9" },
		{ "", "/q", { NULL }, "/q" },
		{ "/", "/q", { NULL }, "/q" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *url = remote_url(cases[i].base, cases[i].path, cases[i].parameters);
		assert_non_null(url);
		assert_string_equal(url, cases[i].wanted);
		free(url);
	}
}

/* ---- answers ---- */

static void test_remote_send_statuses_are_these_errors(void **state)
{
	static const struct {
		int status, wanted;
	} cases[] = {
		{ 200, 0 },        { 201, 0 },        { 204, 0 },        { 400, -EINVAL },  { 413, -EINVAL }, { 422, -EINVAL },
		{ 401, -EACCES },  { 403, -EACCES },  { 404, -ENOENT },  { 429, -EAGAIN },  { 500, -EAGAIN }, { 502, -EAGAIN },
		{ 503, -EAGAIN },  { 301, -EAGAIN },  { 405, -EAGAIN },
	};
	struct stage *stage = *state;
	http_server_start(stage->server);
	open_as_anybody(stage);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char answer[128], words[REMOTE_WORDS_SIZE], wanted[16];
		snprintf(answer, sizeof(answer), "HTTP/1.1 %d Some\r\nContent-Length: 0\r\n\r\n", cases[i].status);
		http_server_answer(stage->server, READ, answer);
		assert_int_equal(read_once(stage, NULL, NULL, words), cases[i].wanted);
		snprintf(wanted, sizeof(wanted), "%d ", cases[i].status);
		assert_string_equal(words, cases[i].wanted ? wanted : "");
	}
}

/* A query that is refused is its reader's fault, unless the engine refuses every one. */
static void test_remote_send_refused_read_is_judged_by_the_probe(void **state)
{
	static const char refused[] = "HTTP/1.1 422 Unprocessable\r\nContent-Length: 8\r\n\r\ntoo much";
	static const struct {
		const char *probe;
		int wanted;
	} cases[] = {
		{ NO_CONTENT, -EINVAL },
		{ refused, -EAGAIN },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{\"error\": \"not found\"}", -EAGAIN },
		{ "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", -EAGAIN },
	};
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE];
	http_server_start(stage->server);
	open_as_anybody(stage);
	http_server_answer(stage->server, READ, refused);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		http_server_answer(stage->server, PING, NO_CONTENT);
		WAIT_FOR(health(stage) == 0, 10000);
		http_server_answer(stage->server, PING, cases[i].probe);
		assert_int_equal(read_once(stage, NULL, NULL, words), cases[i].wanted);
		assert_string_equal(words, "422 too much");
		assert_int_equal(health(stage), cases[i].wanted == -EINVAL ? 0 : -EAGAIN);
		assert_int_equal(remote_query_failed(stage->store.remote, "too many"), cases[i].wanted == -EINVAL ? -EINVAL : -EIO);
		http_server_answer(stage->server, READ, NO_CONTENT);
		assert_int_equal(read_once(stage, NULL, NULL, words), 0);
		http_server_answer(stage->server, READ, refused);
	}
	assert_int_equal(captured_stderr_count("read: 422 too much"), 3);
}

/* Without a probe nothing shows that the engine would answer another one. */
static void test_remote_send_refused_read_without_a_probe_is_the_engines(void **state)
{
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE];
	http_server_answer(stage->server, READ, "HTTP/1.1 422 Unprocessable\r\nContent-Length: 8\r\n\r\ntoo much");
	http_server_start(stage->server);
	assert_int_equal(remote_open("fake", stage->config, &(struct remote_identity){ 0 }, &stage->store.remote), 0);
	assert_int_equal(remote_start(stage->store.remote, set_up, &(struct http_message){ 0 }, &stage->store), 0);
	assert_int_equal(read_once(stage, NULL, NULL, words), -EAGAIN);
	assert_int_equal(health(stage), -EAGAIN);
	assert_int_equal(captured_stderr_count("error: store fake: read: 422 too much"), 1);
}

static void test_remote_send_redirect_is_told_and_not_followed(void **state)
{
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE], wanted[REMOTE_WORDS_SIZE];
	http_server_answer(stage->server, READ, "HTTP/1.1 301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 5\r\n\r\nMoved");
	http_server_start(stage->server);
	open_as_anybody(stage);
	snprintf(wanted, sizeof(wanted), "301, to %s/elsewhere, which is not followed", http_server_url(stage->server));
	assert_int_equal(read_once(stage, NULL, NULL, words), -EAGAIN);
	assert_string_equal(words, wanted);
	assert_int_equal(http_server_count(stage->server, "GET /elsewhere"), 0);
}

static void test_remote_send_words_are_the_engines_in_short(void **state)
{
	static const struct {
		const char *body, *wanted;
	} cases[] = {
		{ "", "500 " },
		{ "plain words", "500 plain words" },
		{ "first line\r\nsecond", "500 first line" },
		{ "{\"message\": \"m\", \"error\": \"e\"}", "500 m" },
		{ "{\"error\": \"e\\nf\"}", "500 e" },
		{ "{\"message\": 5}", "500 {\"message\": 5}" },
		{ "[\"message\"]", "500 [\"message\"]" },
		{ "{\"message\": ", "500 {\"message\": " },
		{ "\xc3\xa9", "500 \xc3\xa9" },
		{ "caf\xe9 x", "500 caf" },
	};
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE];
	http_server_start(stage->server);
	open_as_anybody(stage);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char answer[256];
		snprintf(answer, sizeof(answer), "HTTP/1.1 500 Some\r\nContent-Length: %zu\r\n\r\n%s", strlen(cases[i].body),
		         cases[i].body);
		http_server_answer(stage->server, READ, answer);
		assert_int_equal(read_once(stage, NULL, NULL, words), -EAGAIN);
		assert_string_equal(words, cases[i].wanted);
	}
	/* Cut between characters. */
	struct text answer = TEXT_EMPTY;
	text_printf(&answer, "HTTP/1.1 500 Some\r\nContent-Length: %d\r\n\r\n", 2 * REMOTE_WORDS_SIZE);
	for (int i = 0; i < REMOTE_WORDS_SIZE; i++)
		text_append_string(&answer, "\xc3\xa9");
	http_server_answer(stage->server, READ, answer.data);
	assert_int_equal(read_once(stage, NULL, NULL, words), -EAGAIN);
	assert_in_range(strlen(words), REMOTE_WORDS_SIZE - 2, REMOTE_WORDS_SIZE - 1);
	assert_int_equal(wire_utf8_check(words, strlen(words)), strlen(words));
	text_free(&answer);
}

static void test_remote_send_body_is_appended(void **state)
{
	struct stage *stage = *state;
	struct text body = TEXT_EMPTY;
	char words[REMOTE_WORDS_SIZE];
	http_server_answer(stage->server, READ, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	http_server_start(stage->server);
	open_as_anybody(stage);
	text_append_string(&body, ">");
	assert_int_equal(read_once(stage, NULL, &body, words), 0);
	assert_int_equal(read_once(stage, NULL, &body, words), 0);
	assert_string_equal(body.data, ">hellohello");
	/* What a failure says is no answer. */
	http_server_answer(stage->server, READ, REFUSED);
	assert_int_equal(read_once(stage, NULL, &body, words), -EACCES);
	assert_string_equal(body.data, ">hellohello");
	text_free(&body);
}

static int refuse(void *user, const char *bytes, size_t length)
{
	(void)user;
	(void)length;
	return bytes[0] == 'b' ? -E2BIG : bytes[0] == 'e' ? -EREMOTEIO : bytes[0] == 'n' ? -ENOBUFS : -ENOMEM;
}

/* What a sink says of an answer is not what is said of the engine. */
static void test_remote_send_sink_refuses_the_engine_works(void **state)
{
	static const struct {
		const char *body;
		int wanted;
	} cases[] = { { "b", -E2BIG }, { "m", -ENOMEM }, { "n", -ENOBUFS }, { "e", -EREMOTEIO } };
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE];
	http_server_start(stage->server);
	open_as_anybody(stage);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char answer[128];
		snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%s", cases[i].body);
		http_server_answer(stage->server, READ, answer);
		assert_int_equal(read_once(stage, refuse, NULL, words), cases[i].wanted);
		assert_int_equal(health(stage), 0);
	}
	assert_int_equal(captured_stderr_count("store fake"), 0);
	/* The caller says it. */
	assert_int_equal(remote_answer_failed(stage->store.remote, REMOTE_READ, "statement failed"), -EIO);
	assert_int_equal(remote_answer_failed(stage->store.remote, REMOTE_READ, "statement failed"), -EIO);
	assert_int_equal(health(stage), -EIO);
	assert_int_equal(captured_stderr_count("error: store fake: read: statement failed"), 1);
	http_server_answer(stage->server, READ, NO_CONTENT);
	assert_int_equal(read_once(stage, refuse, NULL, words), 0);
	assert_int_equal(health(stage), 0);
}

/* A sample is not to blame for our configuration. */
static void test_remote_send_url_that_is_none_is_no_refusal_of_samples(void **state)
{
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE];
	http_server_start(stage->server);
	open_as_anybody(stage);
	snprintf(stage->store.write_url, sizeof(stage->store.write_url), "http://127.0.0.1:99999/write");
	assert_int_equal(write_once(stage, words), -EIO);
	assert_int_equal(health(stage), -EIO);
}

/* ---- the keeper ---- */

static void test_remote_start_engine_is_absent_it_is_found_later(void **state)
{
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE];
	open_as_anybody(stage);
	assert_int_equal(health(stage), -ECONNREFUSED);
	/* One absence, one line, whoever meets it. */
	for (int i = 0; i < 5; i++) {
		assert_int_equal(write_once(stage, words), -ECONNREFUSED);
		assert_int_equal(read_once(stage, NULL, NULL, words), -ECONNREFUSED);
		assert_non_null(strstr(words, "127.0.0.1"));
	}
	assert_int_equal(captured_stderr_count("error: store fake: set up: "), 1);
	assert_int_equal(captured_stderr_count("store fake"), 1);

	http_server_start(stage->server);
	WAIT_FOR(health(stage) == 0, 5000);
	assert_int_equal(captured_stderr_count("info: store fake: works again"), 1);
	assert_int_equal(captured_stderr_count("store fake"), 2);
	assert_int_equal(write_once(stage, words), 0);
	/* It is set up, and left alone until something fails again: then at once. */
	unsigned set_ups = atomic_load(&stage->store.set_ups);
	usleep(2100000);
	assert_int_equal(atomic_load(&stage->store.set_ups), set_ups);
	http_server_answer(stage->server, WRITE, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(write_once(stage, words), -ENOENT);
	WAIT_FOR(atomic_load(&stage->store.set_ups) > set_ups, 1000);
}

static void test_remote_close_while_the_engine_is_absent_is_prompt(void **state)
{
	struct stage *stage = *state;
	open_as_anybody(stage);
	/* The keeper waits for its next turn. */
	assert_true(atomic_load(&stage->store.set_ups) > 0);
	int64_t start_ns = clock_monotonic_ns();
	remote_close(stage->store.remote);
	stage->store.remote = NULL;
	assert_in_range((clock_monotonic_ns() - start_ns) / 1000000, 0, 1000);
}

/* An engine that answers set-ups may be too slow for a write: the next write shows that it is not. One that has answered
 * a set-up is there for reads. */
static void test_remote_set_up_cures_a_read_that_timed_out_and_no_write(void **state)
{
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE];
	stage->config->server.store_timeout_ms = 300;
	http_server_start(stage->server);
	open_as_anybody(stage);
	WAIT_FOR(health(stage) == 0, 10000);
	http_server_answer(stage->server, READ, NULL);
	assert_int_equal(read_once(stage, NULL, NULL, words), -ETIMEDOUT);
	WAIT_FOR(health(stage) == 0, 10000);
	http_server_answer(stage->server, WRITE, NULL);
	assert_int_equal(write_once(stage, words), -ETIMEDOUT);
	unsigned set_ups = atomic_load(&stage->store.set_ups);
	WAIT_FOR(atomic_load(&stage->store.set_ups) > set_ups + 1, 10000);
	assert_int_equal(health(stage), -ETIMEDOUT);
	http_server_answer(stage->server, WRITE, NO_CONTENT);
	WAIT_FOR(write_once(stage, words) == 0 && health(stage) == 0, 10000);
}

/* What was set up may be deleted: an InfluxDB 3 is looked at while it works. */
static void test_remote_expect_influxdb3_set_up_is_repeated(void **state)
{
	struct stage *stage = *state;
	http_server_start(stage->server);
	assert_int_equal(remote_open("fake", stage->config, &(struct remote_identity){ 0 }, &stage->store.remote), 0);
	remote_expect_influxdb3(stage->store.remote, 20);
	assert_int_equal(remote_start(stage->store.remote, set_up, &(struct http_message){ 0 }, &stage->store), 0);
	WAIT_FOR(atomic_load(&stage->store.set_ups) > 3, 5000);
	/* That one fails is no reason to write nothing, and told to nobody. */
	http_server_answer(stage->server, PING, "HTTP/1.1 500 Error\r\nContent-Length: 0\r\n\r\n");
	unsigned set_ups = atomic_load(&stage->store.set_ups);
	WAIT_FOR(atomic_load(&stage->store.set_ups) > set_ups + 1, 5000);
	assert_int_equal(health(stage), 0);
	assert_int_equal(captured_stderr_count("store fake"), 0);
	/* That it is gone is known before anybody asks for anything. */
	http_server_close(stage->server);
	stage->server = NULL;
	WAIT_FOR(health(stage) == -ECONNREFUSED, 5000);
	assert_int_equal(captured_stderr_count("error: store fake: set up: "), 1);
}

/* ---- who we are ---- */

static void test_remote_open_identity_is_in_every_request(void **state)
{
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE];
	temporary_file_write(stage->token_file, "a-token==\n");
	http_server_start(stage->server);
	open_as(stage, &(struct remote_identity){ .token_scheme = "Bearer", .token_file = stage->token_file });
	assert_int_equal(write_once(stage, words), 0);
	assert_non_null(strstr(http_server_last(stage->server, PING)->head, "\r\nAuthorization: Bearer a-token==\r\n"));
	assert_non_null(strstr(http_server_last(stage->server, WRITE)->head, "\r\nAuthorization: Bearer a-token==\r\n"));
}

static void test_remote_open_password_is_in_every_request(void **state)
{
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE];
	temporary_file_write(stage->password_file, "open sesame\n");
	http_server_start(stage->server);
	open_as(stage, &(struct remote_identity){ .user = "ali", .password_file = stage->password_file });
	assert_int_equal(write_once(stage, words), 0);
	/* base64 of "ali:open sesame" */
	assert_non_null(strstr(http_server_last(stage->server, WRITE)->head, "\r\nAuthorization: Basic YWxpOm9wZW4gc2VzYW1l\r\n"));
}

static void test_remote_open_nobody_says_nothing(void **state)
{
	struct stage *stage = *state;
	http_server_start(stage->server);
	open_as(stage, &(struct remote_identity){ .token_scheme = "Token", .token_file = "", .user = "", .password_file = "" });
	assert_null(strcasestr(http_server_last(stage->server, PING)->head, "Authorization"));
}

static void test_remote_open_secret_that_cannot_be_read_is_told(void **state)
{
	struct stage *stage = *state;
	struct remote *remote = NULL;
	const struct remote_identity by_token = { .token_scheme = "Token", .token_file = stage->token_file };
	const struct remote_identity by_password = { .user = "ali", .password_file = stage->password_file };
	assert_int_equal(remote_open("fake", stage->config, &by_token, &remote), -EINVAL);
	assert_int_equal(captured_stderr_count("/token: cannot read the secret in it: No such file or directory"), 1);
	temporary_file_write(stage->token_file, "\nsecond line\n");
	assert_int_equal(remote_open("fake", stage->config, &by_token, &remote), -EINVAL);
	assert_int_equal(captured_stderr_count("/token: cannot read the secret in it: it is empty"), 1);
	assert_int_equal(remote_open("fake", stage->config, &by_password, &remote), -EINVAL);
	assert_int_equal(captured_stderr_count("/password: cannot read the secret in it"), 1);
	/* One that can, and one that cannot. */
	const struct remote_identity by_both = { .token_scheme = "Token", .token_file = stage->token_file,
		                                     .user = "ali", .password_file = stage->password_file };
	temporary_file_write(stage->token_file, "a-token\n");
	assert_int_equal(remote_open("fake", stage->config, &by_both, &remote), -EINVAL);
	assert_int_equal(captured_stderr_count("/password: cannot read the secret in it"), 2);
	assert_null(remote);
}

/* A token may be changed while we run: a refusal, of a set-up or of another request, makes
 * us read it again. */
static void test_remote_send_refused_the_secret_is_read_again(void **state)
{
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE];
	http_server_answer(stage->server, "", REFUSED);
	http_server_answer_to(stage->server, "", "\r\nAuthorization: Token second\r\n", NO_CONTENT);
	temporary_file_write(stage->token_file, "first\n");
	http_server_start(stage->server);
	open_as(stage, &(struct remote_identity){ .token_scheme = "Token", .token_file = stage->token_file });
	assert_int_equal(health(stage), -EACCES);
	assert_int_equal(captured_stderr_count("error: store fake: set up: 401 who?"), 1);
	temporary_file_write(stage->token_file, "second\n");
	WAIT_FOR(health(stage) == 0, 5000);
	assert_int_equal(captured_stderr_count("works again"), 1);
	assert_int_equal(write_once(stage, words), 0);

	/* Set-ups are allowed with any token. */
	http_server_answer(stage->server, PING, NO_CONTENT);
	http_server_answer(stage->server, WRITE, REFUSED);
	http_server_answer_to(stage->server, WRITE, "\r\nAuthorization: Token third\r\n", NO_CONTENT);
	temporary_file_write(stage->token_file, "third\n");
	assert_int_equal(write_once(stage, words), -EACCES);
	assert_string_equal(words, "401 who?");
	WAIT_FOR(write_once(stage, words) == 0, 5000);
	assert_int_equal(health(stage), 0);
	assert_int_equal(captured_stderr_count("error: store fake: write: 401 who?"), 1);
	assert_int_equal(captured_stderr_count("works again"), 2);
}

/* With a secret that cannot be read any more we stay who we were. */
static void test_remote_send_refused_the_secret_is_gone(void **state)
{
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE];
	temporary_file_write(stage->token_file, "first\n");
	http_server_answer(stage->server, "", REFUSED);
	http_server_start(stage->server);
	open_as(stage, &(struct remote_identity){ .token_scheme = "Token", .token_file = stage->token_file });
	assert_int_equal(unlink(stage->token_file), 0);
	WAIT_FOR(captured_stderr_count("/token: cannot read the secret in it") > 0, 10000);
	assert_int_equal(health(stage), -EACCES);
	http_server_forget(stage->server);
	assert_int_equal(write_once(stage, words), -EACCES);
	assert_non_null(strstr(http_server_last(stage->server, WRITE)->head, "\r\nAuthorization: Token first\r\n"));
}

/* ---- writing ---- */

/* `count` samples, each with a line of about a hundred bytes. */
static int append(struct stage *stage, size_t count, char words[static REMOTE_WORDS_SIZE])
{
	static const char process[] = "a-process-with-a-rather-long-name-that-goes-on-for-a-while";
	struct sample *samples = calloc(count, sizeof(*samples));
	assert_non_null(samples);
	for (size_t i = 0; i < count; i++)
		samples[i] = (struct sample){ (int64_t)i, 1, "10.0.0.1", process, METRIC_USAGE, HALF_FIRST };
	/* Over two batches, one of them big. */
	const struct batch halves[] = { { .samples = samples, .count = count / 10 },
		                            { .samples = samples + count / 10, .count = count - count / 10 } };
	const struct batch *const batches[] = { &halves[0], &halves[1] };
	int result = remote_append(stage->store.remote, stage->store.write_url, batches, 2, words);
	free(samples);
	return result;
}

/* The times at the ends of all lines of the writes, which must be 0, 1, 2, …; how many there are. */
static size_t count_lines(struct stage *stage)
{
	size_t count = 0;
	for (size_t i = 0, all = http_server_count(stage->server, ""); i < all; i++) {
		const struct http_server_request *request = http_server_asked(stage->server, i);
		if (strncmp(request->head, WRITE, strlen(WRITE)) != 0)
			continue;
		const char *line = request->body, *end = line + request->body_length;
		while (line < end) {
			const char *line_end = memchr(line, '\n', (size_t)(end - line));
			assert_non_null(line_end);
			/* With its length: under a sanitizer the string functions look at all that follows. */
			const char *time = memrchr(line, ' ', (size_t)(line_end - line));
			assert_non_null(time);
			size_t number = 0;
			for (const char *digit = time + 1; digit < line_end; digit++)
				number = 10 * number + (size_t)(*digit - '0');
			assert_int_equal(number, count);
			assert_memory_equal(time - strlen(" value=1"), " value=1", strlen(" value=1"));
			count++;
			line = line_end + 1;
		}
	}
	return count;
}

static void test_remote_append_big_batches_are_a_few_requests(void **state)
{
	enum { SAMPLES = 120000 }; /* 14 MB */
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE];
	http_server_start(stage->server);
	open_as_anybody(stage);
	assert_int_equal(append(stage, SAMPLES, words), 0);
	assert_int_equal(http_server_count(stage->server, WRITE), 2);
	assert_int_equal(count_lines(stage), SAMPLES);
}

static void test_remote_append_small_batches_are_one_request(void **state)
{
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE];
	http_server_start(stage->server);
	open_as_anybody(stage);
	assert_int_equal(append(stage, 1000, words), 0);
	assert_int_equal(http_server_count(stage->server, WRITE), 1);
	assert_int_equal(count_lines(stage), 1000);
	assert_int_equal(append(stage, 0, words), 0);
	assert_int_equal(http_server_count(stage->server, WRITE), 1);
}

/* What kept a set-up from succeeding is said to who writes, and nothing is sent. */
static void test_remote_append_set_up_has_timed_out_nothing_is_sent(void **state)
{
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE];
	stage->config->server.store_timeout_ms = 300;
	http_server_answer(stage->server, PING, NULL);
	http_server_start(stage->server);
	open_as_anybody(stage);
	WAIT_FOR(health(stage) == -ETIMEDOUT, 10000);
	assert_int_equal(append(stage, 1, words), -ETIMEDOUT);
	assert_true(words[0]);
	assert_int_equal(http_server_count(stage->server, WRITE), 0);
	http_server_answer(stage->server, PING, NO_CONTENT);
	WAIT_FOR(health(stage) == 0, 20000);
	assert_int_equal(append(stage, 1, words), 0);
	assert_int_equal(count_lines(stage), 1);
}

/* The rest is not sent; nor is it left for the next write. */
static void test_remote_append_request_is_refused_the_next_write_is_clean(void **state)
{
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE];
	http_server_answer(stage->server, WRITE, "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad");
	http_server_start(stage->server);
	open_as_anybody(stage);
	assert_int_equal(append(stage, 240000, words), -EINVAL); /* 28 MB */
	assert_string_equal(words, "400 bad");
	assert_int_equal(http_server_count(stage->server, WRITE), 1);
	assert_int_equal(health(stage), 0);
	http_server_answer(stage->server, WRITE, NO_CONTENT);
	assert_int_equal(append(stage, 2, words), 0);
	const char *body = http_server_last(stage->server, WRITE)->body;
	assert_ptr_equal(strchr(strchr(body, '\n') + 1, '\n') + 1, body + strlen(body));
}

/* ---- several threads ---- */

static void *ask_often(void *user)
{
	struct stage *stage = user;
	for (int i = 0; i < ROUNDS; i++) {
		char words[REMOTE_WORDS_SIZE];
		if (write_once(stage, words) != 0 || read_once(stage, NULL, NULL, words) != 0 || health(stage) != 0)
			abort();
	}
	return NULL;
}

static void test_remote_send_several_threads_have_a_connection_each(void **state)
{
	struct stage *stage = *state;
	pthread_t threads[THREADS];
	http_server_start(stage->server);
	open_as_anybody(stage);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, ask_often, stage);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(http_server_count(stage->server, WRITE), THREADS * ROUNDS);
	assert_int_equal(http_server_count(stage->server, READ), THREADS * ROUNDS);
	assert_in_range(http_server_connections(stage->server), 1, THREADS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remote_url_base_path_and_parameters_are_joined),
		STAGED(test_remote_send_statuses_are_these_errors),
		STAGED(test_remote_send_refused_read_is_judged_by_the_probe),
		STAGED(test_remote_send_refused_read_without_a_probe_is_the_engines),
		STAGED(test_remote_send_redirect_is_told_and_not_followed),
		STAGED(test_remote_send_words_are_the_engines_in_short),
		STAGED(test_remote_send_body_is_appended),
		STAGED(test_remote_send_sink_refuses_the_engine_works),
		STAGED(test_remote_send_url_that_is_none_is_no_refusal_of_samples),
		STAGED(test_remote_start_engine_is_absent_it_is_found_later),
		STAGED(test_remote_close_while_the_engine_is_absent_is_prompt),
		STAGED(test_remote_set_up_cures_a_read_that_timed_out_and_no_write),
		STAGED(test_remote_open_identity_is_in_every_request),
		STAGED(test_remote_open_password_is_in_every_request),
		STAGED(test_remote_open_nobody_says_nothing),
		STAGED(test_remote_open_secret_that_cannot_be_read_is_told),
		STAGED(test_remote_send_refused_the_secret_is_read_again),
		STAGED(test_remote_send_refused_the_secret_is_gone),
		STAGED(test_remote_append_set_up_has_timed_out_nothing_is_sent),
		STAGED(test_remote_append_big_batches_are_a_few_requests),
		STAGED(test_remote_expect_influxdb3_set_up_is_repeated),
		STAGED(test_remote_append_small_batches_are_one_request),
		STAGED(test_remote_append_request_is_refused_the_next_write_is_clean),
		STAGED(test_remote_send_several_threads_have_a_connection_each),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
