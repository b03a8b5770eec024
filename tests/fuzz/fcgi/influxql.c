/* What an engine answers, InfluxDB 1: the JSON of InfluxQL. */
#include "tests/fuzz/fcgi/served.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	return served_answer("influxql", bytes, size);
}
