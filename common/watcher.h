/*
 * What the programs that watch series through the server, vigie-alert and vigie-forecast, make
 * alike of the configuration: the rules, which are [alert]'s for both, and what each needs to be
 * a client of the server, which its own section says.
 */
#ifndef VIGIE_COMMON_WATCHER_H
#define VIGIE_COMMON_WATCHER_H

#include "common/config.h"
#include "common/rules.h"
#include "common/text.h"

/* A program's own section; borrowed. */
struct watcher_section {
	const char *name, *url, *token_file, *proxy;
};

/*
 * Checks the section's URL and proxy, and reads the rules and the section's token. `config` is not kept;
 * `source` is as in rules_open(). Returns 0 with rules to be freed with rules_free() and a token
 * for client_open() to be freed with text_free(); or -EINVAL, an error of secret_read() or
 * -ENOMEM, with a sentence in `ret_error`.
 */
int watcher_read(const struct config *config, const char *source, const struct watcher_section *section,
                 struct rules **ret_rules, struct text *ret_token, struct text *ret_error)
	__attribute__((warn_unused_result));

/* So many steps of [forecast] are looked ahead at most. */
enum { WATCHER_HORIZON_STEPS = 48 };

/* Whether forecasts reach as far as [alert] and its rules say: 0, or -EINVAL with a sentence. */
int watcher_check_horizon(const struct config *config, const struct rules *rules, struct text *ret_error)
	__attribute__((warn_unused_result));

/*
 * Takes the lock of the state at `path`, since two programs that went by one state would do all of it
 * twice; one that is about to end is waited for. 0 with a descriptor, which closing gives up, or with
 * -1, where the disk has no room for a lock (which is logged) or the place is none: what is wrong with that, reading
 * and writing the state will say. -EBUSY or another negative errno with a sentence.
 */
int watcher_lock_state(const char *path, int *ret_fd, struct text *ret_error) __attribute__((warn_unused_result));

#endif
