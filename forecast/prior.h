/*
 * What a series' model starts from: weights and scales learnt over many series, either
 * those that are built in or those of a file that `vigie-forecast train` has written.
 *
 * Read-only once made. Pure but for prior_read() and prior_write().
 */
#ifndef VIGIE_FORECAST_PRIOR_H
#define VIGIE_FORECAST_PRIOR_H

#include "common/text.h"

struct prior;

/* The one that comes with the program; never freed. */
const struct prior *prior_builtin(void);

/*
 * Reads a model file. 0 with a prior to be freed with prior_free(); -EBADMSG with a
 * sentence in `ret_error` for a file that is broken or of another version; other negative
 * errnos when it cannot be read.
 */
int prior_read(const char *path, struct prior **ret_prior, struct text *ret_error)
	__attribute__((warn_unused_result));

/* Replaces the file as a whole. 0 or a negative errno. */
int prior_write(const char *path, const struct prior *prior) __attribute__((warn_unused_result));

void prior_free(struct prior *prior);

#endif
