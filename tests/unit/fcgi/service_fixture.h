/*
 * What the tests of the service share: one with a real store in a folder of its own, and requests to it, as the pool has them.
 */
#ifndef VIGIE_TESTS_FCGI_SERVICE_FIXTURE_H
#define VIGIE_TESTS_FCGI_SERVICE_FIXTURE_H

#include "tests/unit/fcgi/helpers.h"

#include <cjson/cJSON.h>
#include <semaphore.h>

#include "fcgi/routes.h"
#include "fcgi/service_internal.h"

struct fixture {
	char folder[TEMPORARY_FOLDER_SIZE];
	struct config *config;
	struct service *service;
	struct response response; /* of the last request */
	int64_t now_ms;           /* when the case began, on a tick */
	const char *authorization; /* sent with each request */
	const char *host;          /* likewise */
	const char *accept;        /* likewise */
	bool only_asks;            /* whether they only ask */
	int64_t waited_ms;         /* for their turn */
	enum wire_service from;    /* whose they are, as they say */
	bool stopped;              /* that it is, as they say */
	enum request_body body_state;
};

static inline int set_up_with(void **state, const char *option)
{
	struct fixture *f = malloc(sizeof(*f));
	assert_non_null(f);
	*f = (struct fixture){ .authorization = "", .host = "", .accept = "" };
	temporary_folder_make_in_memory(f->folder);
	f->config = config_in(f->folder, option);
	f->now_ms = clock_wall_ms() / 10000 * 10000;
	assert_int_equal(service_open(f->config, 8, &f->service), 0);
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	service_close(f->service);
	text_free(&f->response.body);
	config_free(f->config);
	temporary_folder_remove(f->folder);
	free(f);
	return 0;
}

/* As the pool does: the status of the answer to a request whose body has been read. */
static inline int answer(struct fixture *f, struct request *request)
{
	text_reset(&f->response.body);
	budget_give_back(&f->response.share);
	f->response = (struct response){ .status = 200, .content_type = "application/json", .body = f->response.body };
	if (routes_admit(f->service, request, &f->response))
		routes_handle(f->service, request, &f->response);
	routes_sent(f->service, request);
	copy_lent_body(&f->response);
	return f->response.status;
}

/* One request; the status of its answer. */
static inline int ask(struct fixture *f, const char *method, const char *path, const char *query, const char *body)
{
	char full[512];
	char *copy = strdup(body ? body : "");
	assert_non_null(copy);
	snprintf(full, sizeof(full), "%s%s", path[0] == '/' ? "" : WIRE_PREFIX, path);
	struct request request = { .method = method, .path = full, .query = query, .authorization = f->authorization, .host = f->host,
		                       .accept = f->accept, .only_asks = f->only_asks, .waited_ms = f->waited_ms, .service = f->from,
		                       .stopped = f->stopped, .body_state = f->body_state, .body = copy, .body_length = strlen(copy) };
	answer(f, &request);
	free(copy);
	assert_non_null(f->response.body.data);
	if (strcmp(f->response.content_type, "application/json") == 0) {
		cJSON *tree = cJSON_ParseWithOpts(f->response.body.data, NULL, true);
		if (!tree)
			fail_msg("%s %s: no JSON: %s", method, path, f->response.body.data);
		if (f->response.status != 200 && strcmp(path, "health") != 0) {
			assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(tree, "Response")), "NOk");
			assert_non_null(cJSON_GetStringValue(cJSON_GetObjectItem(tree, "error")));
		}
		cJSON_Delete(tree);
	}
	return f->response.status;
}

static inline void write_tokens(struct fixture *f, const char *name, const char *content, char **option)
{
	char path[TEMPORARY_FOLDER_SIZE + 32];
	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	temporary_file_write(path, content);
	free(*option);
	*option = strdup(path);
}

/* From now on everything needs a token. */
static inline void close_doors(struct fixture *f)
{
	write_tokens(f, "write", "writer\nboth\n", &f->config->server.write_tokens);
	write_tokens(f, "read", "reader\nboth\n", &f->config->server.read_tokens);
	write_tokens(f, "admin", "admin\n", &f->config->server.admin_tokens);
	service_reload(f->service, f->config);
}

static inline void wait_for_wishes(struct fixture *f)
{
	WAIT_FOR(keeper_knows(f->service->keeper), 60000);
}

/* A request that may be answered later, as the pool has it. */
struct deferred {
	struct later later; /* first */
	sem_t answered;
	int waits; /* how often it was told that the thread waits */
	int asides; /* how often it was set aside */
	int status;
	char body[512];
};

static inline void count_wait(struct later *later)
{
	((struct deferred *)later)->waits++;
}

static inline void count_aside(struct later *later)
{
	((struct deferred *)later)->asides++;
}

static inline void keep_answer(struct later *later, const struct response *response)
{
	struct deferred *deferred = (struct deferred *)later;
	deferred->status = response->status;
	snprintf(deferred->body, sizeof(deferred->body), "%s", response->body.data);
	sem_post(&deferred->answered);
}

/* Puts a body. True: its answer came later, to *deferred. */
static inline bool put_later(struct fixture *f, const char *path, const char *body, struct deferred *deferred)
{
	char full[64], copy[512];
	*deferred = (struct deferred){ .later = { .wait = count_wait, .set_aside = count_aside, .answer = keep_answer } };
	sem_init(&deferred->answered, 0, 0);
	snprintf(full, sizeof(full), WIRE_PREFIX "%s", path);
	snprintf(copy, sizeof(copy), "%s", body);
	struct request request = { .method = "PUT", .path = full, .query = "", .authorization = f->authorization, .host = f->host,
		                       .later = &deferred->later, .body = copy, .body_length = strlen(copy) };
	answer(f, &request);
	memset(copy, 0, sizeof(copy)); /* it is the thread's, for its next request */
	bool later = f->response.is_later;
	while (later && sem_wait(&deferred->answered) != 0)
		;
	sem_destroy(&deferred->answered);
	return later;
}

#endif
