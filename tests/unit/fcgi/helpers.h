/*
 * What the tests of fcgi/ share: a folder for files, a configuration, and texts to
 * compare answers with.
 */
#ifndef VIGIE_TESTS_FCGI_HELPERS_H
#define VIGIE_TESTS_FCGI_HELPERS_H

#include "tests/unit/support/cmocka.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/config.h"
#include "common/log.h"
#include "common/text.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum { FOLDER_SIZE = 256 };

static inline void folder_open(char ret_folder[static FOLDER_SIZE])
{
	const char *parent = getenv("TMPDIR");
	snprintf(ret_folder, FOLDER_SIZE, "%s/vigie-test.XXXXXX", parent ? parent : "/tmp");
	if (!mkdtemp(ret_folder)) {
		perror(ret_folder);
		abort();
	}
}

static inline int folder_remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

static inline void folder_remove(const char *folder)
{
	nftw(folder, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The defaults with the database in `folder`, and one more "section.key=value" (NULL: none). */
static inline struct config *config_in(const char *folder, const char *option)
{
	char path[FOLDER_SIZE + 32];
	struct text error = TEXT_EMPTY;
	struct config *config = NULL;
	snprintf(path, sizeof(path), "sqlite.path=%s/vigie.db", folder);
	char *overrides[] = { path, (char *)(uintptr_t)option };
	if (config_load(NULL, overrides, option ? 2 : 1, &config, &error))
		fail_msg("%s", error.data);
	return config;
}

/* A seed that is printed, so that a failure can be had again: SEED=… in the environment. */
static inline unsigned seed_take(void)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	print_message("SEED=%u\n", seed);
	return seed;
}

#endif
