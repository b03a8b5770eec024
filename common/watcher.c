#include "common/watcher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/client.h"
#include "common/lock_file.h"
#include "common/log.h"
#include "common/proxy.h"
#include "common/url.h"

enum { TAKEOVER_MS = 3000 }; /* how long a state in use is waited for */

int watcher_read(const struct config *config, const char *source, const struct watcher_section *section,
                 struct rules **ret_rules, struct text *ret_token, struct text *ret_error)
{
	struct text token = TEXT_EMPTY;
	struct rules *rules = NULL;
	char option[64];
	snprintf(option, sizeof(option), "[%s] url", section->name);
	int result = url_check(option, section->url, ret_error);
	if (!result) {
		snprintf(option, sizeof(option), "[%s] proxy", section->name);
		result = proxy_check(option, section->proxy, ret_error);
	}
	if (!result) {
		result = rules_open(config, source, &rules, ret_error);
		if (result == -ENOMEM)
			text_append_string(ret_error, strerror(ENOMEM));
	}
	if (!result)
		result = client_read_token(section->name, section->token_file, &token, ret_error);
	if (result) {
		rules_free(rules);
		text_free(&token);
		return result;
	}
	*ret_rules = rules;
	*ret_token = token;
	return 0;
}

int watcher_check_horizon(const struct config *config, const struct rules *rules, struct text *ret_error)
{
	int64_t wanted_ms = rules_longest_horizon(rules), longest_ms = WATCHER_HORIZON_STEPS * config->forecast.step_ms;
	if (wanted_ms <= longest_ms)
		return 0;
	text_printf(ret_error, "[alert] horizon: %.15g s, its own or that of a rule, is over %d times [forecast] step, which is "
	            "%.15g s", (double)wanted_ms / 1000, WATCHER_HORIZON_STEPS, (double)longest_ms / 1000);
	return -EINVAL;
}

int watcher_lock_state(const char *path, int *ret_fd, struct text *ret_error)
{
	struct text wrong = TEXT_EMPTY;
	int fd = -1, result = lock_file_wait(path, "the state in", TAKEOVER_MS, &fd, &wrong);
	if (result == -ENOSPC)
		log_error("%s; going on without", text_or(&wrong, strerror(ENOMEM)));
	if (result == -ENOSPC || result == -ENOENT || result == -ENOTDIR || result == -EISDIR)
		result = 0;
	if (result)
		text_append_string(ret_error, text_or(&wrong, strerror(ENOMEM)));
	else
		*ret_fd = fd;
	text_free(&wrong);
	return result;
}
