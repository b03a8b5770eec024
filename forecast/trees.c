#include "forecast/trees.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void trees_init(struct trees *trees)
{
	memset(trees, 0, sizeof(*trees));
	for (unsigned i = 0; i < TREES_COLUMNS; i++) {
		for (unsigned j = 0; j < TREES_EDGES; j++)
			trees->edges[i][j] = INFINITY;
	}
}

unsigned trees_bin(const struct trees *trees, unsigned column, float value)
{
	const float *edges = trees->edges[column];
	int over = 0;
	/* Of a constant number, for the compiler to do several at once: faster than to halve it six times. */
	for (unsigned i = 0; i < TREES_EDGES; i++)
		over += value > edges[i];
	return (unsigned)over;
}

static unsigned leaf_of(const struct tree *tree, const uint8_t bins[static TREES_COLUMNS])
{
	unsigned leaf = 0;
	for (unsigned i = 0; i < TREES_DEPTH; i++)
		leaf |= (unsigned)(bins[tree->columns[i]] > tree->edges[i]) << i;
	return leaf;
}

double trees_leaf(const struct tree *tree, const uint8_t bins[static TREES_COLUMNS])
{
	return tree->leaves[leaf_of(tree, bins)] / TREES_UNIT;
}

double trees_sum(const struct trees *trees, const float columns[static TREES_COLUMNS])
{
	if (!trees->count)
		return 0;
	uint8_t bins[TREES_COLUMNS];
	for (unsigned i = 0; i < TREES_COLUMNS; i++)
		bins[i] = (uint8_t)trees_bin(trees, i, columns[i]);
	int sum = 0;
	for (unsigned i = 0; i < trees->count; i++)
		sum += trees->trees[i].leaves[leaf_of(&trees->trees[i], bins)];
	return sum / TREES_UNIT;
}

static unsigned count_edges(const float edges[static TREES_EDGES])
{
	unsigned count = 0;
	while (count < TREES_EDGES && edges[count] < INFINITY)
		count++;
	return count;
}

void trees_format(const struct trees *trees, struct text *text)
{
	for (unsigned i = 0; i < TREES_COLUMNS; i++) {
		unsigned count = count_edges(trees->edges[i]);
		text_printf(text, "edges %u", count);
		for (unsigned j = 0; j < count; j++)
			text_printf(text, " %.9g", (double)trees->edges[i][j]);
		text_append_char(text, '\n');
	}
	text_printf(text, "trees %u\n", trees->count);
	for (unsigned i = 0; i < trees->count; i++) {
		const struct tree *tree = &trees->trees[i];
		for (unsigned j = 0; j < TREES_DEPTH; j++)
			text_printf(text, "%s%u>%u", j ? " " : "", tree->columns[j], tree->edges[j]);
		for (unsigned j = 0; j < TREES_LEAVES; j++)
			text_printf(text, " %d", tree->leaves[j]);
		text_append_char(text, '\n');
	}
}

static bool read_integer(const char **at, long least, long most, long *ret_number)
{
	char *end;
	if (!isdigit((unsigned char)**at) && **at != '-')
		return false;
	*ret_number = strtol(*at, &end, 10);
	*at = end;
	return *ret_number >= least && *ret_number <= most;
}

static bool read_character(const char **at, char wanted)
{
	if (**at != wanted)
		return false;
	++*at;
	return true;
}

static bool read_word(const char **at, const char *word)
{
	if (strncmp(*at, word, strlen(word)) != 0)
		return false;
	*at += strlen(word);
	return true;
}

static bool read_edges(const char **at, float ret_edges[static TREES_EDGES])
{
	long count;
	if (!read_word(at, "edges ") || !read_integer(at, 0, TREES_EDGES - 1, &count))
		return false;
	for (long i = 0; i < count; i++) {
		char *end;
		if (!read_character(at, ' ') || isspace((unsigned char)**at))
			return false;
		ret_edges[i] = strtof(*at, &end);
		if (end == *at || !isfinite(ret_edges[i]) || (i > 0 && !(ret_edges[i] > ret_edges[i - 1])))
			return false;
		*at = end;
	}
	return read_character(at, '\n');
}

static bool read_tree(const char **at, struct tree *ret_tree)
{
	long column, edge, leaf;
	for (unsigned i = 0; i < TREES_DEPTH; i++) {
		if ((i && !read_character(at, ' ')) || !read_integer(at, 0, TREES_COLUMNS - 1, &column) ||
		    !read_character(at, '>') || !read_integer(at, 0, TREES_EDGES - 1, &edge))
			return false;
		ret_tree->columns[i] = (uint8_t)column;
		ret_tree->edges[i] = (uint8_t)edge;
	}
	for (unsigned i = 0; i < TREES_LEAVES; i++) {
		if (!read_character(at, ' ') || !read_integer(at, INT16_MIN, INT16_MAX, &leaf))
			return false;
		ret_tree->leaves[i] = (int16_t)leaf;
	}
	return read_character(at, '\n');
}

bool trees_parse(const char **at, struct trees *ret_trees)
{
	const char *next = *at;
	long count = 0;
	trees_init(ret_trees);
	for (unsigned i = 0; i < TREES_COLUMNS; i++, *at = next) {
		if (!read_edges(&next, ret_trees->edges[i]))
			return false;
	}
	if (!read_word(&next, "trees ") || !read_integer(&next, 0, TREES_MAX, &count) || !read_character(&next, '\n'))
		return false;
	for (*at = next; ret_trees->count < count; *at = next) {
		if (!read_tree(&next, &ret_trees->trees[ret_trees->count++]))
			return false;
	}
	return true;
}
