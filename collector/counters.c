#include "collector/counters.h"

void counters_describe(const struct counters *counters, struct text *text)
{
	text_printf(text,
	            "samples sent %lld, spooled %lld, replayed %lld, dropped %lld, rejected %lld; ticks missed %lld, exits lost %lld",
	            (long long)counters->sent, (long long)counters->spooled, (long long)counters->replayed,
	            (long long)counters->dropped, (long long)counters->rejected, (long long)counters->missed_ticks,
	            (long long)counters->lost_exits);
}
