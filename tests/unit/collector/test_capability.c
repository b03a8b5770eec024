#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/capability.h"

/* As /proc/self/status has them. */
struct sets {
	unsigned long long inheritable, permitted, effective, bounding;
};

static struct sets read_sets(void)
{
	struct sets sets = { 0 };
	char line[256];
	FILE *file = fopen("/proc/self/status", "re");
	while (file && fgets(line, sizeof(line), file)) {
		(void)sscanf(line, "CapInh: %llx", &sets.inheritable);
		(void)sscanf(line, "CapPrm: %llx", &sets.permitted);
		(void)sscanf(line, "CapEff: %llx", &sets.effective);
		(void)sscanf(line, "CapBnd: %llx", &sets.bounding);
	}
	if (file)
		fclose(file);
	return sets;
}

/* Without the right to, the bounding set stays: there is nothing to bound then. */
static unsigned long long bounded(const struct sets *before, unsigned long long others)
{
	return before->effective & 1ULL << CAP_SETPCAP ? before->bounding & others : before->bounding;
}

/* As a service manager gives it to a program that is not root's: it would be in the ambient set, too. */
static void make_inheritable(int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	struct __user_cap_data_struct *word = &data[CAP_TO_INDEX(capability)];
	word->inheritable |= word->permitted & CAP_TO_MASK(capability);
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

static void test_capability_drop_takes_one_out_of_all_sets(void **state)
{
	(void)state;
	static const int capabilities[] = { CAP_NET_ADMIN, CAP_SYSLOG }; /* of either word */
	for (int i = 0; i < 2; i++) {
		make_inheritable(capabilities[i]);
		struct sets before = read_sets();
		capability_drop(capabilities[i]);
		struct sets after = read_sets();
		unsigned long long others = ~(1ULL << capabilities[i]);
		assert_int_equal(after.inheritable, before.inheritable & others);
		assert_int_equal(after.permitted, before.permitted & others);
		assert_int_equal(after.effective, before.effective & others);
		assert_int_equal(after.bounding, bounded(&before, others));
	}
}

/* As a container's filter of system calls may have it. */
static bool refuse_to_tell(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_capget, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void test_capability_drop_where_they_are_not_told_leaves_the_others(void **state)
{
	(void)state;
	enum { NOT_TRIED = 77 };
	int status = -1;
	fflush(stdout);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct sets before = read_sets();
		if (!refuse_to_tell())
			exit(NOT_TRIED);
		capability_drop(CAP_SYS_BOOT);
		struct sets after = read_sets();
		exit(after.inheritable != before.inheritable || after.permitted != before.permitted ||
		     after.effective != before.effective || after.bounding != bounded(&before, ~(1ULL << CAP_SYS_BOOT)));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NOT_TRIED)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capability_drop_takes_one_out_of_all_sets),
		cmocka_unit_test(test_capability_drop_where_they_are_not_told_leaves_the_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
