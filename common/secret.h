/*
 * Tokens and passwords: each in a file of its own, never in the configuration.
 */
#ifndef VIGIE_COMMON_SECRET_H
#define VIGIE_COMMON_SECRET_H

#include "common/text.h"

/*
 * Appends the first line of the file at `path`, without white space around it. 0;
 * -EINVAL for an empty line; -EFBIG for one of over 4094 bytes; -ENOMEM; or why the file
 * cannot be read. Logs a warning when others than its owner may read it.
 */
int secret_read(const char *path, struct text *ret_secret) __attribute__((warn_unused_result));

#endif
