/* A record of /dev/kmsg, where anybody writes who may. */
#include "tests/fuzz/fuzz.h"

#include "collector/oom_records.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *content = fuzz_string(bytes, size);
	struct oom_record record;
	if (oom_record_parse(content, size, &record))
		assert(record.pid > 0 && record.name_length <= sizeof(record.name));
	free(content);
	return 0;
}
