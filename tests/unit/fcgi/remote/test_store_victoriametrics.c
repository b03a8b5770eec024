/* What VictoriaMetrics is asked, where no answer of one that runs could show it. */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/remote/stage.h"

/* A midnight of UTC, and the window that ends there. */
#define MIDNIGHT INT64_C(1795392000000)
#define MIDNIGHT_S "1795392000"
#define WINDOW 600000

#define NOTHING "{\"status\": \"success\", \"data\": {\"resultType\": \"matrix\", \"result\": []}}"

static int set_stage(void **state)
{
	char insert_url[128];
	struct stage *stage = stage_open(&store_victoriametrics, "");
	answer_with(stage, "POST /api/v1/query", 200, NOTHING);
	answer_with(stage, "GET /flags ", 200, "");
	answer_with(stage, "GET /api/v1/query?", 200, NOTHING);
	http_server_start(stage->server);
	snprintf(insert_url, sizeof(insert_url), "victoriametrics.insert_url=%s", http_server_url(stage->server));
	stage_open_store(stage, "victoriametrics.select_url", NULL, (const char *const[]){ insert_url, NULL });
	*state = stage;
	return 0;
}

static const char *asked_for_mean(struct stage *stage, int64_t end_ms)
{
	struct query query = { .metric = METRIC_USAGE, .half = MEM, .from_ms = end_ms - WINDOW, .to_ms = end_ms, .without_maximum = true };
	struct store_rows rows;
	assert_int_equal(stage->f.ops->mean(stage->f.store, &query, &rows), 0);
	store_rows_free(&rows);
	return http_server_last(stage->server, "POST /api/v1/query")->body;
}

/* 1.79.5 (Debian 12) leaves out what begins with the midnight that a query ends with, so that it is asked beyond that; and it
 * replaces the last 30 seconds of a range whose step is under a minute, which at 00:00:05 would be all of that. */
static void test_store_mean_until_midnight_is_a_range_beyond_it_of_one_point(void **state)
{
	struct stage *stage = *state;
	const char *body = asked_for_mean(stage, MIDNIGHT);
	assert_non_null(strstr(body, "&start=" MIDNIGHT_S "&end=" MIDNIGHT_S ".001&step=60"));
	assert_null(strstr(body, "&time="));

	body = asked_for_mean(stage, MIDNIGHT + 1000);
	assert_non_null(strstr(body, "&time=1795392001"));
	assert_null(strstr(body, "&step="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_store_mean_until_midnight_is_a_range_beyond_it_of_one_point, set_stage, stage_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
