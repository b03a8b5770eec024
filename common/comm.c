#include "common/comm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/glob.h"
#include "common/rules.h"
#include "common/wire.h"

bool comm_holds(const struct config *config)
{
	return config->collector.name == NAME_COMM && !config->collector.kernel_threads;
}

bool comm_cut(const char *name, char ret_comm[static COMM_SIZE])
{
	char clean[WIRE_NAME_SIZE];
	if (strlen(name) <= COMM_MAX)
		return false;
	wire_clean_name(name, COMM_MAX, clean); /* it makes none longer */
	memcpy(ret_comm, clean, strlen(clean) + 1);
	return true;
}

/* How many bytes a name has at least that a glob matches; *ret_cut is how much of the glob is for the first COMM_MAX of
 * them, 0 where a '*' leaves that open. */
static size_t least_bytes(const char *glob, size_t *ret_cut)
{
	size_t bytes = 0;
	bool open = false;
	*ret_cut = 0;
	for (const char *at = glob; *at;) {
		size_t least;
		at = glob_pass_piece(at, &least);
		open = open || least == 0;
		bytes += least;
		if (bytes == COMM_MAX && least && !open)
			*ret_cut = (size_t)(at - glob);
	}
	return bytes;
}

/* Says so where no comm can match a glob; `word` is what stands before it in the file. */
static int warn_glob(struct config *config, const char *source, int line, const char *word, const char *glob)
{
	size_t cut, bytes = least_bytes(glob, &cut);
	if (bytes <= COMM_MAX)
		return 0;
	struct text sentence = TEXT_EMPTY;
	if (line && source)
		text_printf(&sentence, "%s:%d: ", source, line);
	else
		text_append_string(&sentence, "command line: ");
	text_printf(&sentence, "%s%s matches nothing: the kernel keeps %d bytes of a name", word, glob, COMM_MAX);
	if (cut) {
		char comm[WIRE_NAME_SIZE]; /* a byte of the name may be four of the glob, or a class */
		wire_clean_name(glob, cut, comm);
		text_printf(&sentence, ": %s would match", comm);
	} else {
		text_printf(&sentence, ", and it needs %zu", bytes);
	}
	int result = text_failed(&sentence) ? -ENOMEM : config_add_warning(config, line, sentence.data);
	text_free(&sentence);
	return result;
}

static int warn_globs(struct config *config, const char *source, const struct config_list *globs, const char *word)
{
	int result = 0;
	for (size_t i = 0; i < globs->count && !result; i++)
		result = warn_glob(config, source, globs->lines[i], word, globs->values[i]);
	return result;
}

int comm_warn(struct config *config, const char *source)
{
	if (!comm_holds(config))
		return 0;
	int result = warn_globs(config, source, &config->collector.include, "include: ");
	if (!result)
		result = warn_globs(config, source, &config->collector.exclude, "exclude: ");
	const struct config_list *rules = &config->alert.rule;
	for (size_t i = 0; i < rules->count && !result; i++) {
		char *glob = NULL;
		result = rules_read_process(rules->values[i], &glob);
		if (glob)
			result = warn_glob(config, source, rules->lines[i], "rule: process=", glob);
		free(glob);
	}
	return result;
}
