/* A trace, and the forecasts from its rows, as backtest has them. */
#include "tests/fuzz/forecast/predicted.h"

#include <errno.h>

#include "forecast/trace.h"

enum { STEP_S = 300 };

static void check(const struct trace *trace)
{
	struct forecaster *forecaster = forecaster_open(prior_builtin(), PREDICTED_HORIZON, PREDICTED_LIMIT);
	for (size_t i = 0; i < trace->count; i++) {
		const struct trace_row *row = &trace->rows[i];
		assert(row->index >= 0 && (i == 0 || row->index > row[-1].index));
		assert(isfinite(row->step.max) && isfinite(row->step.mean) && strlen(row->time) < TRACE_TIME_SIZE);
		forecaster_add(forecaster, row->index, row->step);
		predicted_check(forecaster);
	}
	predicted_explain(forecaster);
	forecaster_close(forecaster);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct text error = TEXT_EMPTY;
	struct trace trace;
	FILE *file = fopen(fuzz_file(bytes, size), "re");
	assert(file);
	int result = trace_read(file, STEP_S, &trace, &error);
	assert(result == 0 ? error.length == 0 : result == -EBADMSG && error.length > 0);
	if (result == 0) {
		check(&trace);
		trace_free(&trace);
	}
	fclose(file);
	text_free(&error);
	return 0;
}
