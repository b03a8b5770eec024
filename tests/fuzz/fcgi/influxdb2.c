/* What an engine answers, InfluxDB 2: Flux CSV, and the JSON of its API. */
#include "tests/fuzz/fcgi/served.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	return served_answer("influxdb2", bytes, size);
}
