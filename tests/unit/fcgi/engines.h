/*
 * The engines that the contract of the stores is tested on. Debian's, and a stand-in that does what an
 * InfluxDB 3 was seen to do (tests/integration/influxdb3.py), are started here, on
 * free ports of the loopback interface, and ended by their process numbers; others are
 * told in the environment:
 *
 *   VIGIE_TEST_INFLUXDB2_URL, VIGIE_TEST_INFLUXDB2_TOKEN, VIGIE_TEST_INFLUXDB2_ORG (myorg)
 *       an InfluxDB 2; each case makes a bucket of its own, "vigie test, …"
 *   VIGIE_TEST_INFLUXDB3_URL, VIGIE_TEST_INFLUXDB3_TOKEN (none)
 *       an InfluxDB 3 Core; each case makes a database of its own, which the next one deletes
 *   VIGIE_TEST_VICTORIAMETRICS
 *       the program of a newer VictoriaMetrics than Debian's, as tests/newer-victoria-metrics makes it
 *   VIGIE_TEST_VM_INSERT_URL, VIGIE_TEST_VM_SELECT_URL
 *       a VictoriaMetrics cluster, as in …/insert/0/influx and …/select/0/prometheus; each
 *       case uses a tenant of its own
 */
#ifndef VIGIE_TESTS_FCGI_ENGINES_H
#define VIGIE_TESTS_FCGI_ENGINES_H

#include "tests/unit/fcgi/store_fixture.h"
#include "tests/unit/fcgi/sqlite/sealing.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/http.h"

/* The process of the engine under test, and where it is. */
static struct {
	pid_t pid;
	int port;
	char url[64];
	char folder[TEMPORARY_FOLDER_SIZE];
	unsigned cases; /* that had a store of their own */
} served;

static inline int free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(probe, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(probe, (struct sockaddr *)&address, &length), 0);
	close(probe);
	return ntohs(address.sin_port);
}

/* The status of a request to the engine; 0: it does not answer. */
static inline long ask_engine(const char *method, const char *url)
{
	struct http *http = http_open(5000);
	struct http_answer answer = { .body = TEXT_EMPTY };
	assert_non_null(http);
	long status = http_request(http, method, url, method[0] == 'P' ? "" : NULL, 0, &answer) == 0 ? answer.status : 0;
	text_free(&answer.body);
	http_close(http);
	return status;
}

/* Starts a program and waits until `path` of its URL answers. */
static inline bool serve(const char *const arguments[], const char *path)
{
	char url[128], log[TEMPORARY_FOLDER_SIZE + 8];
	snprintf(log, sizeof(log), "%s/log", served.folder);
	served.pid = fork();
	if (served.pid == 0) {
		int output = open(log, O_WRONLY | O_CREAT, 0600);
		dup2(output, STDOUT_FILENO);
		dup2(output, STDERR_FILENO);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		execvp(arguments[0], (char *const *)(uintptr_t)arguments);
		_exit(127);
	}
	snprintf(url, sizeof(url), "%s%s", served.url, path);
	for (int i = 0; i < 300; i++) {
		long status = ask_engine("GET", url);
		if (status >= 200 && status < 300)
			return true;
		if (waitpid(served.pid, NULL, WNOHANG) == served.pid)
			break;
		usleep(100000);
	}
	fail_msg("%s did not come up, see %s", arguments[0], log);
	return false;
}

static inline void stop_serving(void)
{
	if (served.pid > 0) {
		kill(served.pid, SIGTERM);
		waitpid(served.pid, NULL, 0);
		served.pid = 0;
		temporary_folder_remove(served.folder);
	}
}

static inline void choose_place(void)
{
	temporary_folder_make(served.folder);
	served.port = free_port();
	snprintf(served.url, sizeof(served.url), "http://127.0.0.1:%d", served.port);
}

static inline struct config *config_of(const char *const options[])
{
	struct text error = TEXT_EMPTY;
	struct config *config = NULL;
	size_t count = 0;
	while (options[count])
		count++;
	if (config_load(NULL, (char *const *)(uintptr_t)options, count, &config, &error))
		fail_msg("%s", error.data);
	return config;
}

/* ---- InfluxDB 1, Debian's ---- */

static inline bool influxql_start(void)
{
	char path[TEMPORARY_FOLDER_SIZE + 16];
	choose_place();
	snprintf(path, sizeof(path), "%s/conf", served.folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "reporting-disabled = true\nbind-address = \"127.0.0.1:%d\"\n[meta]\ndir = \"%s/meta\"\n"
	        "[data]\ndir = \"%s/data\"\nwal-dir = \"%s/wal\"\n[http]\nbind-address = \"127.0.0.1:%d\"\n",
	        free_port(), served.folder, served.folder, served.folder, served.port);
	fclose(file);
	return serve((const char *const[]){ "influxd", "-config", path, NULL }, "/ping");
}

static inline struct config *influxql_configure(const char *folder, const char *option)
{
	char url[128], database[64];
	(void)folder;
	snprintf(url, sizeof(url), "influxql.url=%s/", served.url);
	snprintf(database, sizeof(database), "influxql.database=case \"%u\", é", served.cases++);
	return config_of((const char *const[]){ url, database, option, NULL });
}

/* ---- InfluxDB 2, told in the environment ---- */

static inline bool influxdb2_start(void)
{
	return getenv("VIGIE_TEST_INFLUXDB2_URL") && getenv("VIGIE_TEST_INFLUXDB2_TOKEN");
}

static inline struct config *influxdb2_configure(const char *folder, const char *option)
{
	char url[256], org[256], bucket[128], token_file[TEMPORARY_FOLDER_SIZE + 64];
	const char *given_org = getenv("VIGIE_TEST_INFLUXDB2_ORG");
	snprintf(token_file, sizeof(token_file), "%s/token", folder);
	temporary_file_write(token_file, getenv("VIGIE_TEST_INFLUXDB2_TOKEN"));
	snprintf(token_file, sizeof(token_file), "influxdb2.token_file=%s/token", folder);
	snprintf(url, sizeof(url), "influxdb2.url=%s", getenv("VIGIE_TEST_INFLUXDB2_URL"));
	snprintf(org, sizeof(org), "influxdb2.org=%s", given_org ? given_org : "myorg");
	snprintf(bucket, sizeof(bucket), "influxdb2.bucket=vigie test, %d %u é", (int)getpid(), served.cases++);
	return config_of((const char *const[]){ url, org, bucket, token_file, option, NULL });
}

/* ---- InfluxDB 3, a stand-in and one told in the environment ---- */

static inline bool influxdb3_start(void)
{
	char port[16];
	choose_place();
	snprintf(port, sizeof(port), "%d", served.port);
	return serve((const char *const[]){ "python3", "-B", "tests/integration/influxdb3.py", port, "0.002", NULL }, "/ping");
}

static inline void influxdb3_call(const char *method, const char *engine_url, const char *path, const char *token,
                                  const char *body)
{
	char url[256], authorization[512];
	struct http *http = http_open(5000);
	struct http_answer answer = { .body = TEXT_EMPTY };
	assert_non_null(http);
	snprintf(url, sizeof(url), "%s/api/v3/configure/database%s", engine_url, path);
	snprintf(authorization, sizeof(authorization), "Bearer %s", token);
	const struct http_message message = {
		.method = method, .url = url, .body = body, .body_length = body ? strlen(body) : 0, .authorization = authorization,
	};
	assert_int_equal(http_send(http, &message, &answer), 0);
	text_free(&answer.body);
	http_close(http);
}

/* The name of the case's database. It has five at most: that of the case before is deleted. */
static inline const char *influxdb3_database(const char *engine_url, const char *token)
{
	static char name[64];
	char path[128];
	snprintf(path, sizeof(path), "?db=vigie-test-%d-%u&hard_delete_at=now", (int)getpid(), served.cases);
	influxdb3_call("DELETE", engine_url, path, token, NULL);
	snprintf(name, sizeof(name), "vigie-test-%d-%u", (int)getpid(), ++served.cases);
	return name;
}

static inline struct config *influxdb3_configure_at(const char *engine_url, const char *token, const char *folder,
                                                    const char *option)
{
	char url[256], database[128], token_file[TEMPORARY_FOLDER_SIZE + 64];
	snprintf(token_file, sizeof(token_file), "%s/token", folder);
	temporary_file_write(token_file, token);
	snprintf(token_file, sizeof(token_file), "influxdb3.token_file=%s/token", folder);
	snprintf(url, sizeof(url), "influxdb3.url=%s/", engine_url);
	snprintf(database, sizeof(database), "influxdb3.database=%s", influxdb3_database(engine_url, token));
	return config_of((const char *const[]){ url, database, token_file, option, NULL });
}

static inline struct config *influxdb3_configure(const char *folder, const char *option)
{
	return influxdb3_configure_at(served.url, "any", folder, option);
}

/* Read by the words of version 1, with a database that was made by hand. */
static inline struct config *influxdb3_configure_as_1(const char *folder, const char *option)
{
	char url[256], database[128], body[256];
	const char *name = influxdb3_database(served.url, "any");
	(void)folder;
	snprintf(body, sizeof(body), "{\"db\": \"%s\", \"retention_period\": \"2d\"}", name);
	influxdb3_call("POST", served.url, "", "any", body);
	snprintf(url, sizeof(url), "influxql.url=%s/", served.url);
	snprintf(database, sizeof(database), "influxql.database=%s", name);
	return config_of((const char *const[]){ url, database, option, NULL });
}

static inline bool influxdb3_is_given(void)
{
	return getenv("VIGIE_TEST_INFLUXDB3_URL") != NULL;
}

static inline struct config *influxdb3_configure_given(const char *folder, const char *option)
{
	const char *token = getenv("VIGIE_TEST_INFLUXDB3_TOKEN");
	return influxdb3_configure_at(getenv("VIGIE_TEST_INFLUXDB3_URL"), token ? token : "any", folder, option);
}

/* ---- VictoriaMetrics ---- */

/* There are no databases, so that each case has a process of its own. */
static inline struct config *victoriametrics_configure_program(const char *program, const char *option)
{
	char storage[TEMPORARY_FOLDER_SIZE + 64], address[64], insert_url[128], select_url[128];
	stop_serving();
	choose_place();
	snprintf(storage, sizeof(storage), "-storageDataPath=%s/data", served.folder);
	snprintf(address, sizeof(address), "-httpListenAddr=127.0.0.1:%d", served.port);
	serve((const char *const[]){ program, storage, address, "-retentionPeriod=2d",
	                             "-dedup.minScrapeInterval=1ms", "-memory.allowedPercent=5", NULL }, "/health");
	snprintf(insert_url, sizeof(insert_url), "victoriametrics.insert_url=%s", served.url);
	snprintf(select_url, sizeof(select_url), "victoriametrics.select_url=%s", served.url);
	return config_of((const char *const[]){ insert_url, select_url, option, NULL });
}

static inline struct config *victoriametrics_configure(const char *folder, const char *option)
{
	(void)folder;
	return victoriametrics_configure_program("victoria-metrics", option);
}

static inline bool newer_victoriametrics_is_given(void)
{
	const char *program = getenv("VIGIE_TEST_VICTORIAMETRICS");
	return program && program[0];
}

static inline struct config *newer_victoriametrics_configure(const char *folder, const char *option)
{
	(void)folder;
	return victoriametrics_configure_program(getenv("VIGIE_TEST_VICTORIAMETRICS"), option);
}

static inline void victoriametrics_settle(void)
{
	char url[128];
	snprintf(url, sizeof(url), "%s/internal/force_flush", served.url);
	assert_int_equal(ask_engine("GET", url), 200);
}

static inline bool cluster_start(void)
{
	return getenv("VIGIE_TEST_VM_INSERT_URL") && getenv("VIGIE_TEST_VM_SELECT_URL");
}

/* "…/insert/0/influx" with another tenant in the place of the 0. */
static inline void append_tenant(struct text *text, const char *url, unsigned tenant)
{
	const char *zero = strstr(url, "/0/");
	if (!zero)
		fail_msg("%s has no tenant 0", url);
	text_printf(text, "%.*s/%u%s", (int)(zero - url), url, tenant, zero + 2);
}

static inline struct config *cluster_configure(const char *folder, const char *option)
{
	struct text insert_url = TEXT_EMPTY, select_url = TEXT_EMPTY;
	unsigned tenant = (unsigned)getpid() % 100000 * 1000 + served.cases++;
	(void)folder;
	text_append_string(&insert_url, "victoriametrics.insert_url=");
	append_tenant(&insert_url, getenv("VIGIE_TEST_VM_INSERT_URL"), tenant);
	text_append_string(&select_url, "victoriametrics.select_url=");
	append_tenant(&select_url, getenv("VIGIE_TEST_VM_SELECT_URL"), tenant);
	struct config *config = config_of((const char *const[]){ insert_url.data, select_url.data, option, NULL });
	text_free(&insert_url);
	text_free(&select_url);
	return config;
}

/* A cluster shows what it was given within five seconds. */
static inline void cluster_settle(void)
{
	sleep(6);
}

/* ---- SQLite with sealed hours ---- */

static inline bool seal_all(int64_t key)
{
	(void)key;
	return true;
}

static inline void sqlite_seal(const struct config *config)
{
	sealing_seal_chosen(config->sqlite.path, seal_all);
}

/* One in three: hours that are sealed, that are not, and that what comes next lies over. */
static inline bool seal_some(int64_t key)
{
	static unsigned asked;
	(void)key;
	return asked++ % 3 == 0;
}

static inline void sqlite_seal_some(const struct config *config)
{
	sealing_seal_chosen(config->sqlite.path, seal_some);
}

static const struct engine engines[] = {
	{ .ops = &store_sqlite, .configure = config_in },
	{ .ops = &store_influxql, .start = influxql_start, .stop = stop_serving, .configure = influxql_configure },
	{ .ops = &store_victoriametrics, .stop = stop_serving, .configure = victoriametrics_configure,
	  .settle = victoriametrics_settle, .approximate = true },
	{ .ops = &store_victoriametrics, .name = "victoriametrics, newer", .start = newer_victoriametrics_is_given, .stop = stop_serving,
	  .configure = newer_victoriametrics_configure, .settle = victoriametrics_settle, .approximate = true },
	{ .ops = &store_influxdb2, .start = influxdb2_start, .configure = influxdb2_configure },
	{ .ops = &store_victoriametrics, .start = cluster_start, .configure = cluster_configure, .settle = cluster_settle,
	  .approximate = true },
	{ .ops = &store_influxdb3, .start = influxdb3_start, .stop = stop_serving, .configure = influxdb3_configure },
	{ .ops = &store_influxql, .name = "influxql over influxdb3", .start = influxdb3_start, .stop = stop_serving,
	  .configure = influxdb3_configure_as_1 },
	{ .ops = &store_influxdb3, .name = "influxdb3, given", .start = influxdb3_is_given,
	  .configure = influxdb3_configure_given },
	{ .ops = &store_sqlite, .name = "sqlite, sealed", .configure = config_in, .seal = sqlite_seal },
	{ .ops = &store_sqlite, .name = "sqlite, mixed", .configure = config_in, .seal = sqlite_seal_some },
};

#endif
