/* Makes each sync of the program that it is loaded into (LD_PRELOAD) last SYNC_MS milliseconds longer: a slow disk. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static int sync_slowly(const char *name, int fd)
{
	int (*real)(int fd);
	const char *milliseconds = getenv("SYNC_MS");
	long ms = milliseconds ? atol(milliseconds) : 0;
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
	*(void **)&real = dlsym(RTLD_NEXT, name);
	return real(fd);
}

int fsync(int fd)
{
	return sync_slowly("fsync", fd);
}

int fdatasync(int fd)
{
	return sync_slowly("fdatasync", fd);
}
