/*
 * What the engines beyond the network have in common: connections that are kept, who
 * we are to the engine, what its statuses mean, how samples are sent to it, and whether
 * it works. The words of each engine are its store_<engine>.c's, and of what that includes.
 *
 * Any thread may call; each request takes a connection of its own from a list. A thread
 * of the remote, the keeper, sets the engine up while it is not: its absence is an error
 * of the requests that need it, never of the start.
 */
#ifndef VIGIE_FCGI_REMOTE_REMOTE_H
#define VIGIE_FCGI_REMOTE_REMOTE_H

#include "common/http.h"
#include "fcgi/store.h"

struct remote;

/* Who we are to the engine. "" or NULL: not used. */
struct remote_identity {
	const char *token_scheme; /* "Token", "Bearer" */
	const char *token_file;
	const char *user, *password_file;
};

enum {
	REMOTE_WORDS_SIZE = STORE_REFUSAL_SIZE, /* bytes of an engine's words, with their NUL */
	REMOTE_APPENDS = 4, /* writes at a time: an engine works on each in one thread, more or less */
};

/* Makes and checks what the engine needs: bucket, retention. 0 or a negative errno of
 * remote_send(). Called when the store is opened, and by the keeper until it succeeds. */
typedef int remote_set_up(struct store *store);

/*
 * `name` and `set_up` are constants; the rest is copied. 0; -ENOMEM; or -EINVAL when a
 * secret cannot be read (logged). Call remote_start() once the store can be used.
 */
int remote_open(const char *name, const struct config *config, const struct remote_identity *identity,
                struct remote **ret_remote) __attribute__((warn_unused_result));

/* `probe` is a plain read that an engine answers that works, borrowed but for the struct: it tells an engine that
 * refuses a query from one that refuses every query. Starts the keeper, and waits for its first try to set the engine up, which may fail,
 * but no longer than two seconds. After the engine was away, and is perhaps another or begun anew, nothing is written
 * before a set-up has succeeded again. 0 or a negative errno. */
int remote_start(struct remote *remote, remote_set_up *set_up, const struct http_message *probe, struct store *store)
	__attribute__((warn_unused_result));

/*
 * From now on the engine is taken for InfluxDB 3, which tells its failures as no other does (seen on 3.6.0):
 * - 500 also says what is wrong with a query, and one that fails while it runs closes the connection: reads that fail so
 *   are judged by the probe, as those that are refused.
 * - 422 says that there is no room for another database: no fault of what is written.
 * - A write makes a database that is not there, and keeps it for ever: while it works set-ups are repeated each `check_ms`.
 */
void remote_expect_influxdb3(struct remote *remote, int64_t check_ms);

/* Ends the keeper. No request may be under way. Accepts NULL. */
void remote_close(struct remote *remote);

/* Whether the engine works, as the last requests say: 0 or the negative errno. */
int remote_health(const struct remote *remote);

enum remote_purpose { REMOTE_SET_UP, REMOTE_WRITE, REMOTE_READ, REMOTE_PURPOSES };

/*
 * Sends one request, with our identity. 0 when its status was 2xx; -EINVAL (400, 413,
 * 422), -EACCES (401, 403), -ENOENT (404), -EAGAIN (429, 5xx and what is left), or what
 * http_send() returned, -EIO in the place of its -EINVAL. `ret_body` (NULL: not wanted)
 * gets the answer's body where the message has no sink; `ret_words` what the engine, or the
 * network, says to a failure. A read that is refused (-EINVAL) is its reader's if the probe then
 * succeeds, otherwise -EAGAIN. Of writes and reads the first failure of its kind is logged,
 * and when all works again; of a set-up what it returns in the end. What a sink returns of
 * -EREMOTEIO and -EBADMSG is the caller's to tell with remote_answer_failed().
 */
int remote_send(struct remote *remote, enum remote_purpose purpose, const struct http_message *message,
                struct text *ret_body, char ret_words[static REMOTE_WORDS_SIZE]) __attribute__((warn_unused_result));

/* Sends one request that says nothing of whether the engine works, whatever becomes of it; the results are those of
 * remote_send(). */
int remote_look(struct remote *remote, const struct http_message *message, struct text *ret_body)
	__attribute__((warn_unused_result));

/* An answer of status 200 brought an error, in the engine's words, or, with "", is not
 * understood: logged like a failure of remote_send(). Returns -EIO. */
int remote_answer_failed(struct remote *remote, enum remote_purpose purpose, const char *words);

/* A query has failed in an answer of status 200, with the engine's words: -EINVAL, its reader's, if the probe then
 * succeeds; otherwise what remote_answer_failed() does. */
int remote_query_failed(struct remote *remote, const char *words);

/* An address below `base`, with parameters: names and values in turn, NULL at the end,
 * escaped here. To be freed; NULL: out of memory. */
char *remote_url(const char *base, const char *path, const char *const parameters[]);

/* A form that is posted. The form is borrowed. */
struct http_message remote_form(const char *url, const struct text *form);

/* A string of a query language, with a backslash before its backslashes and `quote`s. */
void remote_append_quoted(struct text *text, const char *string, char quote);

/* store_ops.append(): the samples as line protocol to `url`, in as few requests as
 * engines take. While no set-up has succeeded nothing is sent: what would be acknowledged could perhaps not be read. */
int remote_append(struct remote *remote, const char *url, const struct batch *const batches[], size_t count,
                  char ret_refusal[static STORE_REFUSAL_SIZE]) __attribute__((warn_unused_result));

#endif
