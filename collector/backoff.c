#include "collector/backoff.h"

void backoff_failed(struct backoff *backoff, int64_t now_ns, int64_t retry_after_s, uint32_t random)
{
	int64_t limit_ms = BACKOFF_FIRST_MS;
	for (unsigned i = 0; i < backoff->failures && limit_ms < BACKOFF_MAX_MS; i++)
		limit_ms *= 2;
	if (limit_ms > BACKOFF_MAX_MS)
		limit_ms = BACKOFF_MAX_MS;
	if (retry_after_s < 0)
		retry_after_s = 0;
	if (retry_after_s > BACKOFF_RETRY_AFTER_MAX_S)
		retry_after_s = BACKOFF_RETRY_AFTER_MAX_S;
	int64_t wait_ms = retry_after_s * 1000 + random % (limit_ms + 1);
	backoff->failures++;
	backoff->until_ns = now_ns + wait_ms * 1000000;
}

void backoff_succeeded(struct backoff *backoff)
{
	*backoff = (struct backoff){ 0 };
}

bool backoff_is_over(const struct backoff *backoff, int64_t now_ns)
{
	return now_ns >= backoff->until_ns;
}
