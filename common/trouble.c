#include "common/trouble.h"

#include <string.h>

#include "common/log.h"

void trouble_watch(struct trouble *trouble, int result, const char *reason)
{
	if (result && !trouble->present)
		log_error("%s fails: %s", trouble->operation, reason ? reason : strerror(-result));
	else if (!result && trouble->present)
		log_info("%s works again", trouble->operation);
	trouble->present = result != 0;
}
