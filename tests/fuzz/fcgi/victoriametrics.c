/* What an engine answers, VictoriaMetrics: the JSON of Prometheus, exported samples, and its flags. */
#include "tests/fuzz/fcgi/served.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	return served_answer("victoriametrics", bytes, size);
}
