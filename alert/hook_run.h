/*
 * Runs one program to its end, for alert/hook.h.
 */
#ifndef VIGIE_ALERT_HOOK_RUN_H
#define VIGIE_ALERT_HOOK_RUN_H

#include <stdint.h>

#include "common/text.h"

enum hook_failure { HOOK_CANNOT_RUN, HOOK_STATUS, HOOK_SIGNAL, HOOK_TIME_LIMIT, HOOK_FAILURES };

/* When a program that runs is to be killed, on the clock of clock_monotonic_ns(). May be called often. */
typedef int64_t hook_deadline(void *user);

/*
 * Runs `path` with `arguments`, each of which ends with a NUL but for the last, whose NUL is
 * the text's own (empty: none), and with `input` as its standard input (NULL: /dev/null). Waits
 * for its end; at its deadline its process group is killed. The deadline is asked for anew
 * whenever `wake_fd` is readable, which is then emptied (8 bytes: an eventfd). Returns 0, or a
 * negative errno with the kind of failure and a sentence.
 */
int hook_run(const char *path, const struct text *arguments, const struct text *input, int wake_fd, hook_deadline *deadline,
             void *user, enum hook_failure *ret_failure, struct text *ret_error) __attribute__((warn_unused_result));

#endif
