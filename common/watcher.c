#include "common/watcher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/client.h"
#include "common/url.h"

int watcher_read(const struct config *config, const char *source, const struct watcher_section *section,
                 struct rules **ret_rules, struct text *ret_token, struct text *ret_error)
{
	struct text token = TEXT_EMPTY;
	struct rules *rules = NULL;
	char option[64];
	snprintf(option, sizeof(option), "[%s] url", section->name);
	int result = url_check(option, section->url, ret_error);
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
