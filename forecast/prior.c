#include "forecast/prior.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/whole_file.h"
#include "forecast/builtin_model.h"

#define FORMAT "vigie-forecast model"

enum { VERSION = 2 };

static const char *input_name(unsigned input)
{
	static const char *const others[] = { [PRIOR_HORIZON] = "horizon", [PRIOR_TREES] = "trees", [PRIOR_ONE] = "one" };
	return input < FEATURE_COUNT ? feature_name(input) : others[input];
}

float prior_standard(const struct prior *prior, unsigned input, float value)
{
	float standard = (value - prior->center[input]) / prior->scale[input];
	return standard < -PRIOR_CLIP ? -PRIOR_CLIP : standard > PRIOR_CLIP ? PRIOR_CLIP : standard;
}

void prior_inputs(const struct prior *prior, const struct features *features, unsigned horizon,
                  float ret_inputs[static PRIOR_INPUTS])
{
	for (unsigned i = 0; i < FEATURE_COUNT; i++)
		ret_inputs[i] = prior_standard(prior, i, features->values[i]);
	ret_inputs[PRIOR_HORIZON] = prior_standard(prior, PRIOR_HORIZON, logf((float)horizon / 6));
	ret_inputs[PRIOR_TREES] = prior_standard(prior, PRIOR_TREES, (float)trees_sum(&prior->trees, ret_inputs));
	ret_inputs[PRIOR_ONE] = prior_standard(prior, PRIOR_ONE, 1);
}

double prior_sum(const float weights[static PRIOR_INPUTS], const float inputs[static PRIOR_INPUTS])
{
	double sum = 0;
	for (unsigned i = 0; i < PRIOR_INPUTS; i++)
		sum += (double)(weights[i] * inputs[i]);
	if (isfinite(sum))
		return sum;
	/* A model file may have weights whose products are beyond float, though not beyond double. */
	sum = 0;
	for (unsigned i = 0; i < PRIOR_INPUTS; i++)
		sum += (double)weights[i] * (double)inputs[i];
	return sum;
}

/* Nine digits tell every float from the next. */
void prior_format(const struct prior *prior, struct text *text)
{
	size_t start = text->length;
	text_printf(text, FORMAT " %d\n", VERSION);
	for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
		text_printf(text, "%s %.9g %.9g", input_name(i), (double)prior->center[i], (double)prior->scale[i]);
		for (unsigned sum = 0; sum < PRIOR_SUMS; sum++)
			text_printf(text, " %.9g", (double)prior->weights[sum][i]);
		text_append_char(text, '\n');
	}
	trees_format(&prior->trees, text);
	if (!text_failed(text))
		text_printf(text, "crc32 %08lx\n",
		            crc32(0, (const unsigned char *)text->data + start, (unsigned)(text->length - start)));
}

/* Reads numbers[count], each after a space, up to the end of the line. */
static bool read_numbers(const char *at, float *const numbers[], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char *end;
		if (*at++ != ' ' || isspace((unsigned char)*at))
			return false;
		*numbers[i] = strtof(at, &end);
		if (end == at || !isfinite(*numbers[i]))
			return false;
		at = end;
	}
	return *at == '\n';
}

static bool parse_input(const char *line, unsigned input, struct prior *prior)
{
	const char *name = input_name(input);
	float *numbers[2 + PRIOR_SUMS] = { &prior->center[input], &prior->scale[input] };
	for (unsigned sum = 0; sum < PRIOR_SUMS; sum++)
		numbers[2 + sum] = &prior->weights[sum][input];
	return strncmp(line, name, strlen(name)) == 0 && read_numbers(line + strlen(name), numbers, 2 + PRIOR_SUMS) &&
	       prior->scale[input] > 0;
}

int prior_parse(const char *content, struct prior *ret_prior, struct text *ret_error)
{
	int version = 0, length = 0;
	if (sscanf(content, FORMAT " %d%n", &version, &length) != 1 || content[length] != '\n') {
		text_append_string(ret_error, "it does not begin with \"" FORMAT "\"");
		return -EBADMSG;
	}
	if (version != VERSION) {
		text_printf(ret_error, "its version is %d, not %d: learn it anew, vigie-forecast train", version, VERSION);
		return -EBADMSG;
	}
	struct prior prior;
	const char *line = content;
	for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
		const char *end = strchr(line, '\n');
		line = end ? end + 1 : line;
		if (!end || !parse_input(line, i, &prior)) {
			text_printf(ret_error, "line %u is not that of %s", i + 2, input_name(i));
			return -EBADMSG;
		}
	}
	line = strchr(line, '\n') + 1;
	if (!trees_parse(&line, &prior.trees)) {
		size_t number = 1;
		for (const char *at = content; at < line; at++)
			number += *at == '\n';
		text_printf(ret_error, "line %zu is not right", number);
		return -EBADMSG;
	}
	char sum[32];
	snprintf(sum, sizeof(sum), "crc32 %08lx\n", crc32(0, (const unsigned char *)content, (unsigned)(line - content)));
	if (strcmp(line, sum) != 0) {
		text_append_string(ret_error, "its checksum is not right");
		return -EBADMSG;
	}
	*ret_prior = prior;
	return 0;
}

const struct prior *prior_builtin(void)
{
	static struct prior prior;
	static bool parsed;
	if (!parsed) {
		struct text error = TEXT_EMPTY;
		int result = prior_parse(builtin_model, &prior, &error);
		assert(result == 0); /* forecast/builtin.model is of these features: make prior makes it */
		(void)result;
		text_free(&error);
		parsed = true;
	}
	return &prior;
}

int prior_read(const char *path, struct prior **ret_prior, struct text *ret_error)
{
	struct text content = TEXT_EMPTY;
	int result = whole_file_read(path, &content);
	struct prior *prior = malloc(sizeof(*prior));
	text_append_string(&content, "");
	if (!result && (!prior || text_failed(&content)))
		result = -ENOMEM;
	if (!result && strlen(content.data) != content.length) {
		text_append_string(ret_error, "it has a zero byte");
		result = -EBADMSG;
	}
	if (!result)
		result = prior_parse(content.data, prior, ret_error);
	text_free(&content);
	if (result)
		free(prior);
	else
		*ret_prior = prior;
	return result;
}

int prior_write(const char *path, const struct prior *prior)
{
	struct text content = TEXT_EMPTY;
	prior_format(prior, &content);
	int result = whole_file_replace(path, &content);
	text_free(&content);
	return result;
}

void prior_free(struct prior *prior)
{
	free(prior);
}
