/*
 * Kills the program that it is loaded into (LD_PRELOAD) in the place of its KILL_AT_SYNC-th sync, of whatever thread that is:
 * strace's injection counts the calls of each thread by themselves.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static int sync_or_die(const char *name, int fd)
{
	static atomic_int syncs;
	const char *last = getenv("KILL_AT_SYNC");
	int (*real_sync)(int fd);
	if (last && atomic_fetch_add(&syncs, 1) + 1 == atoi(last))
		kill(getpid(), SIGKILL);
	*(void **)&real_sync = dlsym(RTLD_NEXT, name);
	return real_sync(fd);
}

int fdatasync(int fd)
{
	return sync_or_die("fdatasync", fd);
}

int fsync(int fd)
{
	return sync_or_die("fsync", fd);
}
