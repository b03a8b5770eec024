#include "fcgi/remote/remote.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/secret.h"
#include "fcgi/remote/lines.h"

enum {
	KEEPER_MS = 2000,            /* between two tries to set the engine up */
	START_MS = 2000,             /* how long the start waits for the first of them */
};

/* One of the connections, in the list of those not in use. */
struct connection {
	struct http *http;
	struct http_answer answer;
	struct connection *next;
};

struct remote {
	const char *name;
	char *ca_file, *proxy, *token_file, *password_file, *user;
	const char *token_scheme;
	int64_t timeout_ms;
	atomic_llong check_ms; /* between two set-ups of an InfluxDB 3 that works; 0: the engine is another */

	pthread_mutex_t setting_up; /* held by who sets the engine up; before `lock` */
	pthread_mutex_t lock; /* of what follows; not held during requests */
	struct connection *connections;
	char *authorization, *password; /* "" where they are not used */
	char proxied[REMOTE_PURPOSES][REMOTE_WORDS_SIZE]; /* how the last such request went: http_append_proxy() */

	remote_set_up *set_up;
	struct http_message probe;
	struct store *store;
	char set_up_words[REMOTE_WORDS_SIZE]; /* of its last request */
	pthread_t keeper;
	bool keeping; /* the keeper was started */
	bool tried;   /* it has tried once */
	bool closing;
	pthread_cond_t wake;  /* the keeper */
	pthread_cond_t begun; /* `tried` is true now */

	atomic_int errors[REMOTE_PURPOSES]; /* of the last such request: negative errno */
};

static char *copy(const char *string)
{
	return strdup(string ? string : "");
}

/* "" for no file. -EINVAL, logged, when there is one that holds no secret. */
static int read_secret(const char *path, const char *before, char **ret_secret)
{
	struct text secret = TEXT_EMPTY;
	text_append_string(&secret, path[0] ? before : "");
	int result = path[0] ? secret_read(path, &secret) : 0;
	if (result == 0 && text_failed(&secret))
		result = -ENOMEM;
	if (result) {
		if (result != -ENOMEM)
			log_error("%s: cannot read the secret in it: %s", path, result == -EINVAL ? "it is empty" : strerror(-result));
		text_free(&secret);
		return result == -ENOMEM ? result : -EINVAL;
	}
	*ret_secret = secret.data;
	return 0;
}

/* Reads the secrets, again after they may have changed. */
static int read_identity(struct remote *remote)
{
	char scheme[32], *authorization = NULL, *password = NULL;
	snprintf(scheme, sizeof(scheme), "%s ", remote->token_scheme);
	int result = read_secret(remote->token_file, scheme, &authorization);
	if (result == 0)
		result = read_secret(remote->password_file, "", &password);
	if (result) {
		free(authorization);
		return result;
	}
	pthread_mutex_lock(&remote->lock);
	free(remote->authorization);
	free(remote->password);
	remote->authorization = authorization;
	remote->password = password;
	pthread_mutex_unlock(&remote->lock);
	return 0;
}

int remote_open(const char *name, const struct config *config, const struct remote_identity *identity,
                struct remote **ret_remote)
{
	struct remote *remote = calloc(1, sizeof(*remote));
	if (!remote)
		return -ENOMEM;
	remote->name = name;
	remote->timeout_ms = config->server.store_timeout_ms;
	remote->token_scheme = identity->token_scheme ? identity->token_scheme : "";
	remote->ca_file = copy(config->server.store_ca_file);
	remote->proxy = copy(config->server.store_proxy);
	remote->token_file = copy(identity->token_file);
	remote->password_file = copy(identity->password_file);
	remote->user = copy(identity->user);
	pthread_mutex_init(&remote->setting_up, NULL);
	pthread_mutex_init(&remote->lock, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&remote->wake, &attributes);
	pthread_cond_init(&remote->begun, &attributes);
	pthread_condattr_destroy(&attributes);

	int result = -ENOMEM;
	if (remote->ca_file && remote->proxy && remote->token_file && remote->password_file && remote->user)
		result = read_identity(remote);
	if (result)
		remote_close(remote);
	else
		*ret_remote = remote;
	return result;
}

static void connection_close(struct connection *connection)
{
	http_close(connection->http);
	text_free(&connection->answer.body);
	free(connection);
}

void remote_expect_influxdb3(struct remote *remote, int64_t check_ms)
{
	atomic_store(&remote->check_ms, check_ms);
}

void remote_close(struct remote *remote)
{
	if (!remote)
		return;
	if (remote->keeping) {
		pthread_mutex_lock(&remote->lock);
		remote->closing = true;
		pthread_cond_signal(&remote->wake);
		pthread_mutex_unlock(&remote->lock);
		pthread_join(remote->keeper, NULL);
	}
	while (remote->connections) {
		struct connection *next = remote->connections->next;
		connection_close(remote->connections);
		remote->connections = next;
	}
	pthread_cond_destroy(&remote->wake);
	pthread_cond_destroy(&remote->begun);
	pthread_mutex_destroy(&remote->lock);
	pthread_mutex_destroy(&remote->setting_up);
	free(remote->ca_file);
	free(remote->proxy);
	free(remote->token_file);
	free(remote->password_file);
	free(remote->user);
	free(remote->authorization);
	free(remote->password);
	free(remote);
}

int remote_health(const struct remote *remote)
{
	for (int i = 0; i < REMOTE_PURPOSES; i++) {
		int error = atomic_load(&remote->errors[i]);
		if (error)
			return error;
	}
	return 0;
}

/* A connection, and copies of the secrets for one request. */
static struct connection *connection_take(struct remote *remote, char **ret_authorization, char **ret_password)
{
	pthread_mutex_lock(&remote->lock);
	struct connection *connection = remote->connections;
	if (connection)
		remote->connections = connection->next;
	*ret_authorization = copy(remote->authorization);
	*ret_password = copy(remote->password);
	pthread_mutex_unlock(&remote->lock);
	if (connection)
		return connection;

	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return NULL;
	connection->http = http_open(remote->timeout_ms);
	if (connection->http)
		return connection;
	free(connection);
	return NULL;
}

static void connection_give_back(struct remote *remote, enum remote_purpose purpose, struct connection *connection)
{
	struct text proxied = TEXT_EMPTY;
	http_append_proxy(connection->http, &proxied);
	pthread_mutex_lock(&remote->lock);
	snprintf(remote->proxied[purpose], REMOTE_WORDS_SIZE, "%s", text_or(&proxied, ""));
	connection->next = remote->connections;
	remote->connections = connection;
	pthread_mutex_unlock(&remote->lock);
	text_free(&proxied);
}

/* What an engine says in the body of a failure: a member "message" or "error" of JSON, with what InfluxDB 3 tells of a
 * line behind it, or its first line; or where it sends us. */
static void find_words(const struct connection *connection, char words[static REMOTE_WORDS_SIZE])
{
	const struct http_answer *answer = &connection->answer;
	struct text redirect = TEXT_EMPTY;
	http_append_redirect(connection->http, NULL, &redirect);
	const char *body = answer->body.length ? answer->body.data : "";
	cJSON *tree = cJSON_Parse(body);
	const char *said = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tree, "message"));
	if (!said)
		said = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tree, "error"));
	const cJSON *data = cJSON_GetObjectItemCaseSensitive(tree, "data");
	const char *line = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(data, "error_message"));
	if (!said)
		said = body;
	if (redirect.data)
		snprintf(words, REMOTE_WORDS_SIZE, "%ld%s", answer->status, redirect.data);
	else
		snprintf(words, REMOTE_WORDS_SIZE, "%ld %.*s%s%s", answer->status, (int)strcspn(said, "\r\n"), said,
		         line ? ": " : "", line ? line : "");
	cJSON_Delete(tree);
	text_free(&redirect);
	words[wire_utf8_check(words, strlen(words))] = '\0'; /* it may be cut in a character */
}

static int result_of(const struct remote *remote, long status)
{
	if (atomic_load(&remote->check_ms) && (status == 500 || status == 422))
		return status == 500 ? -EIO : -EAGAIN;
	if (status >= 200 && status < 300)
		return 0;
	switch (status) {
	case 400:
	case 413:
	case 422:
		return -EINVAL;
	case 401:
	case 403:
		return -EACCES;
	case 404:
		return -ENOENT;
	default:
		return -EAGAIN;
	}
}

static void note(struct remote *remote, enum remote_purpose purpose, int result, const char *words)
{
	static const char *const verbs[] = { "set up", "write", "read" };
	/* A refused sample is its client's, a refused query and a big answer are their asker's, want of memory ours. */
	if (result == -E2BIG || result == -ENOMEM || result == -ENOBUFS)
		return;
	if (result == -EINVAL && purpose != REMOTE_SET_UP)
		result = 0;
	int before = atomic_exchange(&remote->errors[purpose], result);
	if (before == result)
		return;
	bool said = false;
	for (int i = 0; i < REMOTE_PURPOSES; i++)
		said = said || (i != (int)purpose && atomic_load(&remote->errors[i]) == result);
	if (result && !said) {
		char proxied[REMOTE_WORDS_SIZE];
		pthread_mutex_lock(&remote->lock);
		memcpy(proxied, remote->proxied[purpose], sizeof(proxied));
		pthread_mutex_unlock(&remote->lock);
		bool wordless = result == -EACCES && strcspn(words, " ") + 1 == strlen(words); /* a status alone */
		log_error("store %s: %s: %s%s%s", remote->name, verbs[purpose], words,
		          wordless ? "and no word: the token or password is not accepted" : "", proxied);
	}
	if (!result && before != -EINPROGRESS && !remote_health(remote))
		log_info("store %s: works again", remote->name);
	/* What is there next may be begun anew, or of another version. */
	bool gone = result == -ECONNREFUSED || (result == -EIO && purpose == REMOTE_WRITE);
	if (gone && purpose != REMOTE_SET_UP)
		atomic_store(&remote->errors[REMOTE_SET_UP], result);
	if (result && purpose != REMOTE_SET_UP) {
		pthread_mutex_lock(&remote->lock);
		pthread_cond_signal(&remote->wake);
		pthread_mutex_unlock(&remote->lock);
	}
}

/* The result of one request: of a set-up what it returns in the end is noted. */
static void note_request(struct remote *remote, enum remote_purpose purpose, int result, const char *words)
{
	if (purpose != REMOTE_SET_UP) {
		note(remote, purpose, result, words);
		return;
	}
	pthread_mutex_lock(&remote->lock);
	snprintf(remote->set_up_words, sizeof(remote->set_up_words), "%s", words);
	pthread_mutex_unlock(&remote->lock);
}

int remote_answer_failed(struct remote *remote, enum remote_purpose purpose, const char *words)
{
	note_request(remote, purpose, -EIO, words[0] ? words : "the answer is not understood");
	return -EIO;
}

static int send_message(struct remote *remote, enum remote_purpose purpose, const struct http_message *message,
                        struct text *ret_body, char ret_words[static REMOTE_WORDS_SIZE])
{
	char *authorization, *password;
	struct connection *connection = connection_take(remote, &authorization, &password);
	ret_words[0] = '\0';
	int result = -ENOMEM;
	if (connection && authorization && password) {
		struct http_message full = *message;
		full.authorization = authorization;
		full.user = remote->user;
		full.password = password;
		full.ca_file = remote->ca_file;
		full.proxy = remote->proxy;
		result = http_send(connection->http, &full, &connection->answer);
		if (result) {
			snprintf(ret_words, REMOTE_WORDS_SIZE, "%s", http_error(connection->http));
			if (result == -EINVAL)
				result = -EIO; /* our URL is none: no fault of what is sent */
		} else {
			result = result_of(remote, connection->answer.status);
			if (result)
				find_words(connection, ret_words);
			else if (ret_body)
				text_append(ret_body, connection->answer.body.data, connection->answer.body.length);
		}
	}
	free(authorization);
	free(password);
	if (connection)
		connection_give_back(remote, purpose, connection);
	return result == 0 && ret_body && text_failed(ret_body) ? -ENOMEM : result;
}

int remote_look(struct remote *remote, const struct http_message *message, struct text *ret_body)
{
	char words[REMOTE_WORDS_SIZE];
	return send_message(remote, REMOTE_READ, message, ret_body, words);
}

/* Whether the engine answers a read of which nothing can be wrong. */
static bool answers_probe(struct remote *remote)
{
	struct text body = TEXT_EMPTY;
	int result = remote->probe.url ? remote_look(remote, &remote->probe, &body) : -ENOENT;
	bool answers = result == 0 && !(body.data && strstr(body.data, "\"error\""));
	text_free(&body);
	return answers;
}

int remote_send(struct remote *remote, enum remote_purpose purpose, const struct http_message *message,
                struct text *ret_body, char ret_words[static REMOTE_WORDS_SIZE])
{
	int result = send_message(remote, purpose, message, ret_body, ret_words);
	bool doubtful = result == -EIO && atomic_load(&remote->check_ms);
	if (purpose == REMOTE_READ && (result == -EINVAL || doubtful))
		result = answers_probe(remote) ? -EINVAL : doubtful ? -EIO : -EAGAIN;
	if (result != -EREMOTEIO && result != -EBADMSG)
		note_request(remote, purpose, result, ret_words);
	return result;
}

int remote_query_failed(struct remote *remote, const char *words)
{
	if (!answers_probe(remote))
		return remote_answer_failed(remote, REMOTE_READ, words);
	note_request(remote, REMOTE_READ, -EINVAL, words);
	return -EINVAL;
}


/* Whether a set-up that succeeds shows that the reason of a failure is gone: that the
 * engine is there, or has now what was absent. Where it is there all the time, and set-ups
 * succeed, nothing is shown unless they have failed as well: `again`. A write that was not answered in time is made good
 * by one that is. */
static bool is_cured(enum remote_purpose purpose, int error, bool again)
{
	if (error == -ECONNREFUSED || error == -ENOENT || (error == -ETIMEDOUT && purpose != REMOTE_WRITE))
		return true;
	return again && (error == -EIO || error == -EACCES);
}

/* setting_up is held. */
static void try_to_set_up(struct remote *remote)
{
	/* A set-up may be allowed what the request was not. */
	if (atomic_load(&remote->errors[REMOTE_WRITE]) == -EACCES || atomic_load(&remote->errors[REMOTE_READ]) == -EACCES)
		(void)read_identity(remote);
	int result = remote->set_up(remote->store);
	bool again = result || atomic_load(&remote->errors[REMOTE_SET_UP]);
	if (result == -EACCES && read_identity(remote) == 0)
		result = remote->set_up(remote->store);
	note(remote, REMOTE_SET_UP, result, remote->set_up_words[0] ? remote->set_up_words : strerror(-result));
	if (result == 0) {
		for (int i = REMOTE_SET_UP + 1; i < REMOTE_PURPOSES; i++) {
			enum remote_purpose purpose = (enum remote_purpose)i;
			if (is_cured(purpose, atomic_load(&remote->errors[purpose]), again))
				note(remote, purpose, 0, "");
		}
	}
}

static struct timespec after_ms(int64_t ms)
{
	int64_t at_ns = clock_monotonic_ns() + ms * INT64_C(1000000);
	return clock_timespec(at_ns);
}

/* Waits until the keeper is woken. Set-ups of an InfluxDB 3 are repeated meanwhile: of one that fails it counts that the
 * engine is gone; what else is wrong is no reason to write nothing. The lock is held, but for the set-up. */
static void wait_or_check(struct remote *remote)
{
	int64_t check_ms = atomic_load(&remote->check_ms);
	if (!check_ms) {
		pthread_cond_wait(&remote->wake, &remote->lock);
		return;
	}
	struct timespec until = after_ms(check_ms);
	if (pthread_cond_timedwait(&remote->wake, &remote->lock, &until) != ETIMEDOUT || remote->closing)
		return;
	pthread_mutex_unlock(&remote->lock);
	pthread_mutex_lock(&remote->setting_up);
	int result = remote->set_up(remote->store);
	if (result == -ECONNREFUSED)
		note(remote, REMOTE_SET_UP, result, remote->set_up_words);
	pthread_mutex_unlock(&remote->setting_up);
	pthread_mutex_lock(&remote->lock);
}

static void *keep(void *user)
{
	struct remote *remote = user;
	pthread_mutex_lock(&remote->lock);
	while (!remote->closing) {
		if (!remote_health(remote)) {
			wait_or_check(remote);
			continue;
		}
		pthread_mutex_unlock(&remote->lock);
		pthread_mutex_lock(&remote->setting_up);
		if (remote_health(remote)) /* still */
			try_to_set_up(remote);
		pthread_mutex_unlock(&remote->setting_up);
		pthread_mutex_lock(&remote->lock);
		remote->tried = true;
		pthread_cond_signal(&remote->begun);
		struct timespec until = after_ms(KEEPER_MS);
		while (!remote->closing && pthread_cond_timedwait(&remote->wake, &remote->lock, &until) != ETIMEDOUT)
			;
	}
	pthread_mutex_unlock(&remote->lock);
	return NULL;
}

int remote_start(struct remote *remote, remote_set_up *set_up, const struct http_message *probe, struct store *store)
{
	remote->set_up = set_up;
	remote->probe = *probe;
	remote->store = store;
	atomic_store(&remote->errors[REMOTE_SET_UP], -EINPROGRESS);
	int result = -pthread_create(&remote->keeper, NULL, keep, remote);
	remote->keeping = result == 0;
	if (result)
		return result;

	/* An engine that does not answer shall not keep us from answering. */
	struct timespec until = after_ms(START_MS);
	pthread_mutex_lock(&remote->lock);
	while (!remote->tried && pthread_cond_timedwait(&remote->begun, &remote->lock, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&remote->lock);
	return 0;
}

char *remote_url(const char *base, const char *path, const char *const parameters[])
{
	struct text url = TEXT_EMPTY;
	size_t length = strlen(base);
	while (length > 0 && base[length - 1] == '/')
		length--;
	text_append(&url, base, length);
	text_append_string(&url, path);
	for (size_t i = 0; parameters[i]; i += 2) {
		text_printf(&url, "%c%s=", i ? '&' : '?', parameters[i]);
		http_append_escaped(&url, parameters[i + 1]);
	}
	if (!text_failed(&url))
		return url.data;
	text_free(&url);
	return NULL;
}

struct http_message remote_form(const char *url, const struct text *form)
{
	return (struct http_message){
		.method = "POST",
		.url = url,
		.body = form->data,
		.body_length = form->length,
		.content_type = "application/x-www-form-urlencoded",
	};
}

void remote_append_quoted(struct text *text, const char *string, char quote)
{
	text_append_char(text, quote);
	for (const char *at = string; *at; at++) {
		if (*at == quote || *at == '\\')
			text_append_char(text, '\\');
		text_append_char(text, *at);
	}
	text_append_char(text, quote);
}

/* Whether a set-up has succeeded: 0, or why nothing is to be written, which is no fault of what is. An engine that was away
 * may be back: what is to be written does not wait for the keeper. */
static int check_set_up(struct remote *remote, char words[static REMOTE_WORDS_SIZE])
{
	int error = atomic_load(&remote->errors[REMOTE_SET_UP]);
	if ((error == -ECONNREFUSED || error == -EIO) && pthread_mutex_trylock(&remote->setting_up) == 0) {
		try_to_set_up(remote);
		pthread_mutex_unlock(&remote->setting_up);
		error = atomic_load(&remote->errors[REMOTE_SET_UP]);
	}
	if (error == 0)
		return 0;
	pthread_mutex_lock(&remote->lock);
	snprintf(words, REMOTE_WORDS_SIZE, "%s", remote->set_up_words);
	pthread_mutex_unlock(&remote->lock);
	bool tells_how = error == -ECONNREFUSED || error == -ETIMEDOUT || error == -EACCES || error == -ENOENT || error == -EIO;
	return tells_how ? error : -EAGAIN;
}

int remote_append(struct remote *remote, const char *url, const struct batch *const batches[], size_t count,
                  char ret_refusal[static STORE_REFUSAL_SIZE])
{
	struct lines lines;
	struct http_message message = {
		.method = "POST",
		.url = url,
		.source_rewind = lines_rewind,
		.source_user = &lines,
		.content_type = "text/plain; charset=utf-8",
	};
	lines_open(&lines, batches, count);
	int result = check_set_up(remote, ret_refusal);
	while (result == 0) {
		result = lines_next(&lines, &message.body_length, &message.body);
		if (result || !message.body_length)
			break;
		message.source = message.body ? NULL : lines_read;
		result = remote_send(remote, REMOTE_WRITE, &message, NULL, ret_refusal);
	}
	lines_close(&lines);
	return result;
}
