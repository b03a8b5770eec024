/* fcgi/media.h */
#include "tests/unit/support/cmocka.h"

#include <string.h>

#include "fcgi/media.h"

static void test_media_choose_rows_where_they_are_wanted_more(void **state)
{
	(void)state;
	static const struct {
		const char *accept;
		enum media media;
	} cases[] = {
		{ "", MEDIA_JSON },
		{ "*/*", MEDIA_JSON },
		{ "text/csv", MEDIA_CSV },
		{ "TEXT/CSV", MEDIA_CSV },
		{ " text/csv ; header=present", MEDIA_CSV },
		{ "text/csv;q=0", MEDIA_JSON },
		{ "text/csv;q=0.001", MEDIA_CSV },
		{ "text/csv, */*", MEDIA_CSV },
		{ "text/csv, application/json", MEDIA_JSON },
		{ "application/json, text/csv", MEDIA_JSON },
		{ "text/csv, application/json;q=0.9", MEDIA_CSV },
		{ "text/csv;q=0.8,application/json;q=0.9", MEDIA_JSON },
		{ "text/csv; Q=0.8, */*; q=0.9", MEDIA_JSON },
		{ "text/csv;header=present;q=0.8, */*;q=0.7", MEDIA_CSV },
		{ "text/csv;q=much, application/json", MEDIA_JSON },
		{ "text/*", MEDIA_CSV },
		{ "text/*, */*", MEDIA_JSON },
		{ "text/*;q=0.9, text/csv;q=0.1, */*;q=0.5", MEDIA_JSON },
		{ "text/csvx", MEDIA_JSON },
		{ "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", MEDIA_JSON },
		{ "application/json, text/plain, */*", MEDIA_JSON },
		{ ",,;,text/csv,", MEDIA_CSV },
		{ ";q=", MEDIA_JSON },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (media_choose(cases[i].accept) != cases[i].media)
			fail_msg("%s", cases[i].accept);
	}
}

static void test_media_choose_header_that_is_too_long_is_json(void **state)
{
	(void)state;
	char accept[2048];
	memset(accept, ',', sizeof(accept));
	strcpy(accept + sizeof(accept) - sizeof("text/csv"), "text/csv");
	assert_int_equal(media_choose(accept), MEDIA_JSON);
	assert_int_equal(media_choose(accept + sizeof(accept) - 1000), MEDIA_CSV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_media_choose_rows_where_they_are_wanted_more),
		cmocka_unit_test(test_media_choose_header_that_is_too_long_is_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
