#include "common/rules.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/glob.h"

struct rule {
	char *process; /* glob; NULL: every one */
	char *ip;      /* glob; NULL: every one */
	enum resource resource; /* RESOURCE_COUNT: both */
	struct limits limits;
	bool must_run;
};

struct rules {
	struct limits fallback;
	double lowest_threshold;
	double lowest_amber_probability;
	int64_t longest_horizon_ms; /* of those that are not muted */
	size_t count;
	struct rule rules[];
};

enum word_type { GLOB, ADDRESS, RESOURCE, PERCENT, PROBABILITY, SAMPLES, DURATION, BOOLEAN };

static const struct word {
	const char *key;
	enum word_type type;
	size_t offset; /* of the field in struct rule */
	double minimum, maximum; /* as the option of the same name in common/config.c has them */
} words[] = {
	{ "process", GLOB, offsetof(struct rule, process), 0, 0 },
	{ "ip", ADDRESS, offsetof(struct rule, ip), 0, 0 },
	{ "resource", RESOURCE, offsetof(struct rule, resource), 0, 0 },
	{ "threshold", PERCENT, offsetof(struct rule, limits.threshold), 0, 1e6 },
	{ "clear", PERCENT, offsetof(struct rule, limits.clear), 0, 1e6 },
	{ "raise_after", SAMPLES, offsetof(struct rule, limits.raise_after), 1, 1e4 },
	{ "clear_after", SAMPLES, offsetof(struct rule, limits.clear_after), 1, 1e4 },
	{ "amber_probability", PROBABILITY, offsetof(struct rule, limits.amber_probability), 0, 1 },
	{ "amber_clear", PROBABILITY, offsetof(struct rule, limits.amber_clear), 0, 1 },
	{ "horizon", DURATION, offsetof(struct rule, limits.horizon_ms), 1e3, 86400e3 },
	{ "mute", BOOLEAN, offsetof(struct rule, limits.mute), 0, 0 },
	{ "must_run", BOOLEAN, offsetof(struct rule, must_run), 0, 0 },
};

enum { WORD_COUNT = sizeof(words) / sizeof(words[0]) };

/* One word of a rule, `key=value`, as it stands in the line. */
struct token {
	const char *start;
	size_t length;     /* of the whole word */
	size_t key_length; /* up to the equals sign */
	char *value;       /* without its quotes; on the heap, with room for an address */
};

/* Takes the next word from *at. 1: taken; 0: no word is left; or a negative errno,
 * and then ret_token says where. */
static int next_token(const char **at, struct token *ret_token)
{
	const char *start = *at + strspn(*at, " \t");
	*ret_token = (struct token){ .start = start, .length = strcspn(start, " \t") };
	ret_token->key_length = strcspn(start, "= \t\"");
	if (start[0] == '\0')
		return 0;
	if (start[ret_token->key_length] != '=' || ret_token->key_length == 0)
		return -EINVAL;

	const char *value = start + ret_token->key_length + 1;
	char *copy = malloc(strlen(value) + WIRE_IP_SIZE);
	if (!copy)
		return -ENOMEM;
	size_t length = 0;
	bool quoted = *value == '"';
	const char *end = value + quoted;
	while (*end && (quoted ? *end != '"' : *end != ' ' && *end != '\t')) {
		/* Other backslashes are the glob's: both bytes stay. */
		if (quoted && end[0] == '\\' && end[1] == '"')
			end++;
		else if (quoted && end[0] == '\\' && end[1])
			copy[length++] = *end++;
		copy[length++] = *end++;
	}
	copy[length] = '\0';
	bool closed = !quoted || *end == '"';
	end += quoted && closed;
	bool apart = *end == '\0' || *end == ' ' || *end == '\t';
	if (!closed || !apart) {
		free(copy);
		return -EINVAL;
	}
	ret_token->length = (size_t)(end - start);
	ret_token->value = copy;
	*at = end;
	return 1;
}

static bool parse_number(const struct word *word, const char *value, double *ret_number)
{
	if (!isdigit((unsigned char)value[0]))
		return false;
	char *end;
	double number = strtod(value, &end);
	if (*end || !isfinite(number) || number < word->minimum || number > word->maximum)
		return false;
	if (word->type == SAMPLES && number != floor(number))
		return false;
	*ret_number = number;
	return true;
}

/* Sets the field of `word`; NULL, or what the value should have been. */
static const char *set_field(struct rule *rule, const struct word *word, struct token *token)
{
	void *field = (char *)rule + word->offset;
	double number;
	switch (word->type) {
	case ADDRESS:
		if (token->value[0] && !glob_read_address(token->value))
			return "is neither an address nor a glob of addresses";
		/* fall through */
	case GLOB:
		if (token->value[0] == '\0')
			return "has no value";
		*(char **)field = token->value;
		token->value = NULL;
		return NULL;
	case RESOURCE:
		return wire_limited_parse(token->value, field) ? NULL : "is neither cpu nor mem";
	case PERCENT:
		if (!parse_number(word, token->value, field))
			return "is not a percentage";
		return NULL;
	case PROBABILITY:
		if (!parse_number(word, token->value, field))
			return "is not a number from 0 to 1";
		return NULL;
	case SAMPLES:
		if (!parse_number(word, token->value, &number))
			return "is not a number of intervals from 1 to 10000";
		*(int64_t *)field = (int64_t)number;
		return NULL;
	case DURATION:
		if (!config_parse_duration(token->value, &number) || number < word->minimum || number > word->maximum)
			return "is not a duration from 1s to 1d";
		*(int64_t *)field = (int64_t)number;
		return NULL;
	case BOOLEAN:
		if (strcmp(token->value, "yes") != 0 && strcmp(token->value, "no") != 0)
			return "is neither yes nor no";
		*(bool *)field = token->value[0] == 'y';
		return NULL;
	}
	return NULL;
}

/* NULL or what is wrong with `token`. */
static const char *read_token(struct rule *rule, struct token *token, unsigned *seen)
{
	for (size_t i = 0; i < WORD_COUNT; i++) {
		if (strlen(words[i].key) != token->key_length ||
		    strncmp(words[i].key, token->start, token->key_length) != 0)
			continue;
		if (*seen & 1u << i)
			return "comes twice";
		*seen |= 1u << i;
		return set_field(rule, &words[i], token);
	}
	return "is none of process=, ip=, resource=, threshold=, clear=, raise_after=, clear_after=, amber_probability=, "
	       "amber_clear=, horizon=, mute= and must_run=";
}

int rules_read_process(const char *rule, char **ret_glob)
{
	static const char key[] = "process";
	*ret_glob = NULL;
	for (const char *at = rule;;) {
		struct token token;
		int taken = next_token(&at, &token);
		if (taken <= 0)
			return taken == -ENOMEM ? taken : 0;
		if (token.key_length == strlen(key) && strncmp(token.start, key, token.key_length) == 0) {
			*ret_glob = token.value;
			return 0;
		}
		free(token.value);
	}
}

/* Whether a process can be called that, and nothing else fits it: what is missing has a name, and of a glob it would be any
 * of several, and which? */
static bool is_plain_name(const char *glob)
{
	char name[WIRE_NAME_SIZE];
	wire_clean_name(glob, strlen(glob), name);
	return strcmp(name, glob) == 0 && !strpbrk(glob, "*?[\\");
}

/* Reads one rule over the limits it inherits. */
static int read_rule(const char *line, struct rule *rule, struct text *ret_error)
{
	unsigned seen = 0;
	for (const char *at = line;;) {
		struct token token;
		int taken = next_token(&at, &token);
		if (taken == -ENOMEM)
			return taken;
		if (taken == 0)
			break;
		const char *wrong = taken < 0 ? "is not key=value or \"value\" in whole quotes" :
		                                read_token(rule, &token, &seen);
		free(token.value);
		if (wrong) {
			text_printf(ret_error, "'%.*s' %s", (int)token.length, token.start, wrong);
			return -EINVAL;
		}
	}
	if (!seen) {
		text_append_string(ret_error, "'' names nothing");
		return -EINVAL;
	}
	if (rule->must_run && (!rule->process || !is_plain_name(rule->process))) {
		text_printf(ret_error, "'must_run=yes' needs 'process=' with a plain name, of %d bytes of UTF-8 at most and without any "
		                       "of * ? [ and \\", WIRE_NAME_MAX);
		return -EINVAL;
	}
	if (rule->must_run && rule->resource != RESOURCE_COUNT) {
		text_append_string(ret_error, "'must_run=yes' is about a process, and about no 'resource='");
		return -EINVAL;
	}
	if (rule->limits.clear > rule->limits.threshold) {
		text_printf(ret_error, "'clear=%.15g' is over 'threshold=%.15g'; what a rule does not name is [alert]'s",
		            rule->limits.clear, rule->limits.threshold);
		return -EINVAL;
	}
	if (rule->limits.amber_clear > rule->limits.amber_probability) {
		text_printf(ret_error,
		            "'amber_clear=%.15g' is over 'amber_probability=%.15g'; what a rule does not name is [alert]'s",
		            rule->limits.amber_clear, rule->limits.amber_probability);
		return -EINVAL;
	}
	return 0;
}

/* Puts where a bad rule stands before what is wrong with it. */
static void locate(struct text *ret_error, const char *source, int line, struct text *wrong)
{
	if (line && source)
		text_printf(ret_error, "%s:%d: rule: ", source, line);
	else if (line)
		text_printf(ret_error, "line %d: rule: ", line);
	else
		text_append_string(ret_error, "command line: rule: ");
	text_append_string(ret_error, text_or(wrong, strerror(ENOMEM)));
}

int rules_open(const struct config *config, const char *source, struct rules **ret_rules, struct text *ret_error)
{
	const struct config_list *list = &config->alert.rule;
	struct limits fallback = {
		.threshold = config->alert.threshold,
		.clear = config->alert.clear,
		.raise_after = config->alert.raise_after,
		.clear_after = config->alert.clear_after,
		.horizon_ms = config->alert.horizon_ms,
		.amber_probability = config->alert.amber_probability,
		.amber_clear = config->alert.amber_clear,
	};
	if (fallback.clear > fallback.threshold) {
		text_printf(ret_error, "[alert] clear = %.15g is over threshold = %.15g", fallback.clear,
		            fallback.threshold);
		return -EINVAL;
	}
	if (fallback.amber_clear > fallback.amber_probability) {
		text_printf(ret_error, "[alert] amber_clear = %.15g is over amber_probability = %.15g", fallback.amber_clear,
		            fallback.amber_probability);
		return -EINVAL;
	}

	struct rules *rules = calloc(1, sizeof(*rules) + list->count * sizeof(rules->rules[0]));
	if (!rules)
		return -ENOMEM;
	rules->fallback = fallback;
	rules->lowest_threshold = fallback.threshold;
	rules->lowest_amber_probability = fallback.amber_probability;
	rules->longest_horizon_ms = fallback.horizon_ms;
	for (size_t i = 0; i < list->count; i++) {
		struct rule *rule = &rules->rules[i];
		*rule = (struct rule){ .resource = RESOURCE_COUNT, .limits = fallback };
		rules->count++;
		struct text wrong = TEXT_EMPTY;
		int result = read_rule(list->values[i], rule, &wrong);
		if (result == -EINVAL)
			locate(ret_error, source, list->lines[i], &wrong);
		text_free(&wrong);
		if (result) {
			rules_free(rules);
			return result;
		}
		rules->lowest_threshold = fmin(rules->lowest_threshold, rule->limits.threshold);
		rules->lowest_amber_probability =
			fmin(rules->lowest_amber_probability, rule->limits.amber_probability);
		if (!rule->limits.mute && rule->limits.horizon_ms > rules->longest_horizon_ms)
			rules->longest_horizon_ms = rule->limits.horizon_ms;
	}
	*ret_rules = rules;
	return 0;
}

void rules_free(struct rules *rules)
{
	if (!rules)
		return;
	for (size_t i = 0; i < rules->count; i++) {
		free(rules->rules[i].process);
		free(rules->rules[i].ip);
	}
	free(rules);
}

/* NULL: none fits. */
static const struct rule *find_rule(const struct rules *rules, const char *ip, const char *process, enum resource resource)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->rules[i];
		if (rule->resource != RESOURCE_COUNT && rule->resource != resource)
			continue;
		if (rule->ip && fnmatch(rule->ip, ip, 0) != 0)
			continue;
		if (rule->process && fnmatch(rule->process, process, 0) != 0)
			continue;
		return rule;
	}
	return NULL;
}

const struct limits *rules_find(const struct rules *rules, const char *ip, const char *process,
                                enum resource resource)
{
	const struct rule *rule = find_rule(rules, ip, process, resource);
	return rule ? &rule->limits : &rules->fallback;
}

const struct limits *rules_must_run(const struct rules *rules, const char *ip, const char *process)
{
	const struct rule *rule = find_rule(rules, ip, process, RESOURCE_COUNT);
	return rule && rule->must_run && !rule->limits.mute ? &rule->limits : NULL;
}

const char *rules_next_must_run(const struct rules *rules, size_t *at)
{
	while (*at < rules->count) {
		const struct rule *rule = &rules->rules[(*at)++];
		bool again = false;
		for (const struct rule *before = rules->rules; before < rule && rule->must_run && !again; before++)
			again = before->must_run && strcmp(before->process, rule->process) == 0;
		if (rule->must_run && !again)
			return rule->process;
	}
	return NULL;
}

double rules_lowest_threshold(const struct rules *rules)
{
	return rules->lowest_threshold;
}

double rules_lowest_amber_probability(const struct rules *rules)
{
	return rules->lowest_amber_probability;
}

int64_t rules_longest_horizon(const struct rules *rules)
{
	return rules->longest_horizon_ms;
}
