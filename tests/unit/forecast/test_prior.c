/* forecast/prior.h; how the file is replaced is tested in test_whole_file.c */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "common/whole_file.h"
#include "tests/unit/forecast/dice.h"
#include "forecast/prior.h"

static char folder[TEMPORARY_FOLDER_SIZE], path[TEMPORARY_FOLDER_SIZE + 16];

static int make_folder(void **state)
{
	(void)state;
	temporary_folder_make(folder);
	snprintf(path, sizeof(path), "%s/model", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void roll_prior(uint64_t *dice, struct prior *prior)
{
	trees_init(&prior->trees);
	for (unsigned i = 0; i < 9; i++)
		prior->trees.edges[i * 5][0] = (float)(dice_normal(dice) * exp(10 * dice_normal(dice)));
	for (unsigned i = 1; i < 4; i++)
		prior->trees.edges[5][i] = (float)i + fabsf(prior->trees.edges[5][0]) * (1 + 1e-3f * (float)i);
	prior->trees.count = 1;
	for (unsigned i = 0; i < prior->trees.count; i++) {
		struct tree *tree = &prior->trees.trees[i];
		for (unsigned j = 0; j < TREES_DEPTH; j++) {
			tree->columns[j] = (uint8_t)dice_below(dice, TREES_COLUMNS);
			tree->edges[j] = (uint8_t)dice_below(dice, TREES_EDGES);
		}
		for (unsigned j = 0; j < TREES_LEAVES; j++)
			tree->leaves[j] = (int16_t)((int)dice_below(dice, 65536) - 32768);
	}
	for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
		prior->center[i] = (float)dice_normal(dice);
		prior->scale[i] = (float)exp(3 * dice_normal(dice));
		for (unsigned sum = 0; sum < PRIOR_SUMS; sum++)
			prior->weights[sum][i] = (float)(dice_normal(dice) * exp(10 * dice_normal(dice)));
	}
}

static void test_prior_parse_what_was_formatted_is_the_same_to_the_bit(void **state)
{
	(void)state;
	uint64_t dice = dice_take(1);
	static const float extremes[] = { 0, FLT_MAX, -FLT_MAX, FLT_MIN, 1.17549421e-38f, FLT_TRUE_MIN, 16777215, 0.1f, 8589973e3f };
	for (int round = 0; round < 200; round++) {
		struct prior prior, again;
		struct text content = TEXT_EMPTY, error = TEXT_EMPTY;
		roll_prior(&dice, &prior);
		for (size_t i = 0; i < sizeof(extremes) / sizeof(extremes[0]); i++)
			prior.weights[i % PRIOR_SUMS][dice_below(&dice, PRIOR_INPUTS)] = extremes[i];
		/* What stands before is none of its business. */
		text_append_string(&content, "before");
		prior_format(&prior, &content);
		assert_int_equal(prior_parse(content.data + strlen("before"), &again, &error), 0);
		assert_memory_equal(&again, &prior, sizeof(prior));
		assert_null(error.data);
		text_free(&content);
	}
}

static void format_rolled(struct text *content)
{
	uint64_t dice = dice_take(2);
	struct prior prior;
	roll_prior(&dice, &prior);
	prior_format(&prior, content);
}

static void assert_refused(const char *content, const char *sentence, const char *what, size_t number)
{
	enum { LOOKED_AT = offsetof(struct prior, trees) + 64 };
	static struct prior prior;
	struct text error = TEXT_EMPTY;
	char before[LOOKED_AT];
	memset(&prior, 0x55, LOOKED_AT);
	memset(before, 0x55, LOOKED_AT);
	int result = prior_parse(content, &prior, &error);
	if (result != -EBADMSG || !error.data || (sentence && !strstr(error.data, sentence)))
		fail_msg("%s %zu: %d '%s'", what, number, result, error.data ? error.data : "");
	assert_memory_equal(&prior, before, LOOKED_AT);
	text_free(&error);
}

static void test_prior_parse_every_truncation_is_refused(void **state)
{
	(void)state;
	struct text content = TEXT_EMPTY;
	format_rolled(&content);
	for (size_t length = 0; length < content.length; length++) {
		char kept = content.data[length];
		content.data[length] = '\0';
		assert_refused(content.data, NULL, "length", length);
		content.data[length] = kept;
	}
	text_append_char(&content, '\n');
	assert_refused(content.data, "its checksum is not right", "length", content.length);
	text_free(&content);
}

static void test_prior_parse_every_changed_byte_is_refused(void **state)
{
	(void)state;
	struct text content = TEXT_EMPTY;
	format_rolled(&content);
	static const char instead[] = { '\0', '\n', ' ', '\t', '0', '1', '9', '-', '+', '.', 'e', 'x', 'Z', '\x80', '\xff' };
	for (size_t at = 0; at < content.length; at++) {
		char kept = content.data[at];
		for (size_t i = 0; i < sizeof(instead) + 8; i++) {
			unsigned other = (unsigned char)kept ^ 1u << (i < sizeof(instead) ? 0 : i - sizeof(instead));
			content.data[at] = i < sizeof(instead) ? instead[i] : (char)other;
			if (content.data[at] != kept)
				assert_refused(content.data, NULL, "byte", at);
		}
		content.data[at] = kept;
	}
	text_free(&content);
}

static void test_prior_parse_every_left_out_and_doubled_byte_is_refused(void **state)
{
	(void)state;
	struct text content = TEXT_EMPTY;
	format_rolled(&content);
	for (size_t at = 0; at < content.length; at++) {
		struct text other = TEXT_EMPTY;
		text_append(&other, content.data, at);
		text_append_string(&other, content.data + at + 1);
		assert_refused(other.data, NULL, "without byte", at);
		text_reset(&other);
		text_append(&other, content.data, at + 1);
		text_append_string(&other, content.data + at);
		assert_refused(other.data, NULL, "twice byte", at);
		text_free(&other);
	}
	text_free(&content);
}

/* Puts `instead` in the place of the first `old` and the right checksum behind. */
static void forge(const char *content, const char *old, const char *instead, struct text *forged)
{
	const char *at = strstr(content, old), *sum = strstr(content, "\ncrc32 ") + 1;
	assert_non_null(at);
	assert_true(at < sum);
	text_append(forged, content, (size_t)(at - content));
	text_append_string(forged, instead);
	text_append(forged, at + strlen(old), (size_t)(sum - at) - strlen(old));
	text_printf(forged, "crc32 %08lx\n", crc32(0, (const unsigned char *)forged->data, (unsigned)forged->length));
}

static void test_prior_parse_table(void **state)
{
	(void)state;
	struct prior prior = { 0 };
	struct text content = TEXT_EMPTY;
	trees_init(&prior.trees);
	prior.trees.edges[0][0] = 0.5f;
	prior.trees.edges[0][1] = 2;
	prior.trees.count = 1;
	for (unsigned i = 0; i < PRIOR_INPUTS; i++)
		prior.scale[i] = 1;
	prior_format(&prior, &content);
	char edges_line[32], last_edges_line[32], trees_line[32], tree_line[32], end_line[32], last[32], over[32];
	snprintf(edges_line, sizeof(edges_line), "line %d is not right", PRIOR_INPUTS + 2);
	snprintf(last_edges_line, sizeof(last_edges_line), "line %d is not right", PRIOR_INPUTS + TREES_COLUMNS + 1);
	snprintf(trees_line, sizeof(trees_line), "line %d is not right", PRIOR_INPUTS + TREES_COLUMNS + 2);
	snprintf(tree_line, sizeof(tree_line), "line %d is not right", PRIOR_INPUTS + TREES_COLUMNS + 3);
	snprintf(end_line, sizeof(end_line), "line %d is not right", PRIOR_INPUTS + TREES_COLUMNS + 4);
	snprintf(last, sizeof(last), "trees 1\n%d>63", TREES_COLUMNS - 1);
	snprintf(over, sizeof(over), "trees 1\n%d>0", TREES_COLUMNS);
	const struct {
		const char *old, *instead, *sentence; /* no sentence: it is taken */
	} cases[] = {
		{ "now 0 1 0 0 0", "now 0 1 0 0 0", NULL },
		{ "now 0 1 0 0 0", "now -1.5e-3 2.25 1 2 3", NULL },
		{ "model 2", "model 1", "its version is 1, not 2: learn it anew, vigie-forecast train" },
		{ "model 2", "model 3", "its version is 3, not 2" },
		{ "model 2", "model 0", "its version is 0, not 2" },
		{ "model 2", "model 20", "its version is 20, not 2" },
		{ "model 2", "model -2", "its version is -2, not 2" },
		{ "model 2", "model", "it does not begin with \"vigie-forecast model\"" },
		{ "model 2", "model 2 ", "it does not begin with \"vigie-forecast model\"" },
		{ "model 2", "model 2.0", "it does not begin with \"vigie-forecast model\"" },
		{ "vigie-forecast", "vigie-alert", "it does not begin with \"vigie-forecast model\"" },
		{ "now 0 1 0 0 0", "soon 0 1 0 0 0", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "nown 0 1 0 0 0", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now 0 0 0 0 0", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now 0 -1 0 0 0", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now 0 1e-60 0 0 0", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now nan 1 0 0 0", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now 0 nan 0 0 0", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now 0 inf 0 0 0", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now 0 1 0 0 -inf", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now 0 1 1e39 0 0", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now 0 1 0 0", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now 0 1 0 0 ", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now 0 1 0 0 0 0", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now 0 1 0 0 0 ", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now 0 1 0 0 0x", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now 0,1,0,0,0", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now 0  1 0 0 0", "line 2 is not that of now" },
		{ "now 0 1 0 0 0", "now 0 1 0 0 \n0", "line 2 is not that of now" },
		{ "now 0 1 0 0 0\n", "", "line 2 is not that of now" },
		{ "now_mean 0 1 0 0 0\n", "", "line 3 is not that of now_mean" },
		{ "change_1 0 1 0 0 0\n", "", "line 4 is not that of change_1" },
		{ "horizon 0 1 0 0 0\n", "", " is not that of horizon" },
		{ "trees 0 1 0 0 0\n", "", " is not that of trees" },
		{ "one 0 1 0 0 0\n", "", " is not that of one" },
		{ "one 0 1 0 0 0\n", "one 0 1 0 0 0\ntwo 0 1 0 0 0\n", edges_line },
		{ "edges 2 0.5 2", "edges 2 0.5 2", NULL },
		{ "edges 2 0.5 2", "edges 2 0.5 0.5", edges_line },
		{ "edges 2 0.5 2", "edges 2 2 0.5", edges_line },
		{ "edges 2 0.5 2", "edges 2 0.5", edges_line },
		{ "edges 2 0.5 2", "edges 1 0.5 2", edges_line },
		{ "edges 2 0.5 2", "edges 64 0.5 2", edges_line },
		{ "edges 2 0.5 2", "edges 2 0.5 inf", edges_line },
		{ "edges 2 0.5 2", "edges 2 0.5 nan", edges_line },
		{ "edges 2 0.5 2", "edges 2 0.5  2", edges_line },
		{ "edges 2 0.5 2", "edges -1", edges_line },
		{ "edges 2 0.5 2\n", "", last_edges_line },
		{ "trees 1\n", "trees 2\n", end_line },
		{ "trees 1\n", "trees 257\n", trees_line },
		{ "trees 1\n", "trees -1\n", trees_line },
		{ "trees 1\n", "trees 0\n", "its checksum is not right" },
		{ "trees 1\n0>0", last, NULL },
		{ "trees 1\n0>0", over, tree_line },
		{ "trees 1\n0>0", "trees 1\n0>64", tree_line },
		{ "trees 1\n0>0", "trees 1\n-1>0", tree_line },
		{ "trees 1\n0>0", "trees 1\n0<0", tree_line },
		{ "0>0 0 ", "0>0 32768 ", tree_line },
		{ "0>0 0 ", "0>0 -32769 ", tree_line },
		{ "0>0 0 ", "0>0 32767 ", NULL },
		{ "0>0 0 ", "0>0 -32768 ", NULL },
		{ "0>0 0 ", "0>0 0.5 ", tree_line },
		{ "0>0 0 ", "0>0 ", tree_line },
		{ "0>0 0 ", "0>0 0 0 ", tree_line },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text forged = TEXT_EMPTY, error = TEXT_EMPTY;
		forge(content.data, cases[i].old, cases[i].instead, &forged);
		if (cases[i].sentence)
			assert_refused(forged.data, cases[i].sentence, "case", i);
		else
			assert_int_equal(prior_parse(forged.data, &prior, &error), 0);
		text_free(&forged);
		if (i == 1)
			assert_true(prior.center[0] == -1.5e-3f && prior.scale[0] == 2.25f && prior.weights[PRIOR_LOG_ODDS][0] == 1 &&
			            prior.weights[PRIOR_RISE][0] == 2 && prior.weights[PRIOR_LEAD][0] == 3);
	}
	assert_refused("", "it does not begin with \"vigie-forecast model\"", "nothing", 0);
	assert_refused("\n", "it does not begin with \"vigie-forecast model\"", "nothing", 1);
	text_free(&content);
}

static void test_prior_builtin_is_there_and_usable(void **state)
{
	(void)state;
	const struct prior *prior = prior_builtin();
	assert_ptr_equal(prior_builtin(), prior);
	for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
		assert_true(prior->scale[i] > 0 && isfinite(prior->center[i]));
		for (unsigned sum = 0; sum < PRIOR_SUMS; sum++)
			assert_true(isfinite(prior->weights[sum][i]));
	}
	assert_true(prior->center[PRIOR_ONE] == 0 && prior->scale[PRIOR_ONE] == 1);
}

static void test_prior_write_then_read_is_the_same(void **state)
{
	(void)state;
	uint64_t dice = dice_take(3);
	struct prior prior, *again;
	struct text error = TEXT_EMPTY;
	for (int round = 0; round < 2; round++) {
		roll_prior(&dice, &prior);
		assert_int_equal(prior_write(path, &prior), 0);
		assert_int_equal(prior_read(path, &again, &error), 0);
		assert_memory_equal(again, &prior, sizeof(prior));
		assert_null(error.data);
		prior_free(again);
	}
}

static void test_prior_read_files_that_are_none(void **state)
{
	(void)state;
	struct prior *prior = NULL;
	struct text error = TEXT_EMPTY, content = TEXT_EMPTY;
	assert_int_equal(prior_read("/nonexistent/model", &prior, &error), -ENOENT);
	assert_int_equal(prior_read("/", &prior, &error), -EISDIR);
	assert_null(error.data);
	assert_int_equal(prior_write("/nonexistent/model", prior_builtin()), -ENOENT);

	format_rolled(&content);
	text_append(&content, "\0x", 2);
	assert_int_equal(whole_file_replace(path, &content), 0);
	assert_int_equal(prior_read(path, &prior, &error), -EBADMSG);
	assert_string_equal(error.data, "it has a zero byte");
	text_reset(&error);

	text_reset(&content);
	assert_int_equal(whole_file_replace(path, &content), 0);
	assert_int_equal(prior_read(path, &prior, &error), -EBADMSG);
	assert_string_equal(error.data, "it does not begin with \"vigie-forecast model\"");
	assert_null(prior);
	text_free(&error);
	text_free(&content);
	prior_free(NULL);
}

static void test_prior_read_each_failing_allocation_leaves_nothing(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct prior *prior = NULL;
	struct text error = TEXT_EMPTY;
	assert_int_equal(prior_write(path, prior_builtin()), 0);
	long before = failing_unfreed(), number = 0;
	for (bool failed = true; failed;) {
		failing_start(++number);
		int result = prior_read(path, &prior, &error);
		failed = failing_stop();
		/* stdio reads without a buffer of its own. */
		assert_true(result == (failed ? -ENOMEM : 0) || (failed && result == 0));
		if (result)
			assert_null(prior);
		prior_free(prior);
		prior = NULL;
		assert_int_equal(failing_unfreed(), before);
	}
	assert_true(number > 3);
	for (number = 1, before = failing_unfreed();; number++) {
		failing_start(number);
		int result = prior_write(path, prior_builtin());
		bool failed = failing_stop();
		assert_int_equal(failing_unfreed(), before);
		assert_true(result == 0 || (failed && result == -ENOMEM));
		if (!failed)
			break;
	}
	text_free(&error);
}

static void test_prior_inputs_are_standardised_and_clipped(void **state)
{
	(void)state;
	uint64_t dice = dice_take(4);
	for (int round = 0; round < 200; round++) {
		struct prior prior;
		struct features features = { .now = 0 };
		float inputs[PRIOR_INPUTS];
		unsigned horizon = 1 + dice_below(&dice, 48);
		double expected = 0, bound = 0;
		roll_prior(&dice, &prior);
		prior.center[PRIOR_ONE] = 0;
		prior.scale[PRIOR_ONE] = 1;
		for (unsigned i = 0; i < FEATURE_COUNT; i++)
			features.values[i] = (float)(dice_normal(&dice) * exp(3 * dice_normal(&dice)));
		prior_inputs(&prior, &features, horizon, inputs);
		for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
			double value = i < FEATURE_COUNT ? (double)features.values[i] : i == PRIOR_HORIZON ? log(horizon / 6.0) :
			               i == PRIOR_TREES ? trees_sum(&prior.trees, inputs) : 1;
			double standard = fmax(-4, fmin(4, (value - (double)prior.center[i]) / (double)prior.scale[i]));
			assert_true(fabs((double)inputs[i] - standard) < 1e-5);
			prior.weights[PRIOR_RISE][i] = (float)dice_normal(&dice);
			expected += (double)prior.weights[PRIOR_RISE][i] * standard;
			bound += fabs((double)prior.weights[PRIOR_RISE][i] * standard);
		}
		assert_true(inputs[PRIOR_ONE] == 1);
		assert_true(fabs(prior_sum(prior.weights[PRIOR_RISE], inputs) - expected) < 1e-5 * bound);
	}
}

/* Any finite number may stand in a model file. */
static void test_prior_sum_of_the_largest_weights_is_finite(void **state)
{
	(void)state;
	float weights[PRIOR_INPUTS], inputs[PRIOR_INPUTS];
	for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
		weights[i] = FLT_MAX;
		inputs[i] = i % 2 ? PRIOR_CLIP : -PRIOR_CLIP;
	}
	assert_true(fabs(prior_sum(weights, inputs)) <= PRIOR_CLIP * (double)FLT_MAX);
	inputs[0] = PRIOR_CLIP;
	assert_true(isfinite(prior_sum(weights, inputs)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prior_sum_of_the_largest_weights_is_finite),
		cmocka_unit_test(test_prior_parse_what_was_formatted_is_the_same_to_the_bit),
		cmocka_unit_test(test_prior_parse_every_truncation_is_refused),
		cmocka_unit_test(test_prior_parse_every_changed_byte_is_refused),
		cmocka_unit_test(test_prior_parse_every_left_out_and_doubled_byte_is_refused),
		cmocka_unit_test(test_prior_parse_table),
		cmocka_unit_test(test_prior_builtin_is_there_and_usable),
		cmocka_unit_test(test_prior_write_then_read_is_the_same),
		cmocka_unit_test(test_prior_read_files_that_are_none),
		cmocka_unit_test(test_prior_read_each_failing_allocation_leaves_nothing),
		cmocka_unit_test(test_prior_inputs_are_standardised_and_clipped),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
