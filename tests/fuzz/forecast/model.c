/* A model file: as it is, and with a checksum that fits, so that what it checks is read. */
#include "tests/fuzz/forecast/predicted.h"

#include <errno.h>
#include <zlib.h>

#define CHECKSUM_LINE "crc32 "

static void check(const struct text *content)
{
	struct text error = TEXT_EMPTY, written = TEXT_EMPTY;
	struct prior *prior, again;
	int result = prior_read(fuzz_file(content->data, content->length), &prior, &error);
	assert(result == 0 ? error.length == 0 : result == -EBADMSG && error.length > 0);
	if (result == 0) {
		prior_format(prior, &written);
		result = prior_parse(written.data, &again, &error);
		assert(result == 0 && memcmp(prior, &again, sizeof(again)) == 0);
		struct forecaster *forecaster = forecaster_open(prior, PREDICTED_HORIZON, PREDICTED_LIMIT);
		predicted_add_past(forecaster);
		predicted_check(forecaster);
		predicted_explain(forecaster);
		forecaster_close(forecaster);
		prior_free(prior);
	}
	text_free(&error);
	text_free(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct text content = TEXT_EMPTY;
	text_append(&content, (const char *)bytes, size);
	check(&content);
	char *last = strstr(content.data, "\n" CHECKSUM_LINE);
	if (last) {
		content.length = (size_t)(last + 1 - content.data);
		text_printf(&content, CHECKSUM_LINE "%08lx\n", crc32_z(0, (const unsigned char *)content.data, content.length));
		check(&content);
	}
	text_free(&content);
	return 0;
}
