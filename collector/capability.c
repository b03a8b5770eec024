#include "collector/capability.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

void capability_drop(int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	(void)prctl(PR_CAPBSET_DROP, capability);
	if (syscall(SYS_capget, &header, data) != 0)
		return;
	uint32_t others = ~(uint32_t)CAP_TO_MASK(capability);
	struct __user_cap_data_struct *word = &data[CAP_TO_INDEX(capability)];
	word->effective &= others;
	word->permitted &= others;
	word->inheritable &= others; /* and with it the ambient one */
	(void)syscall(SYS_capset, &header, data);
}
