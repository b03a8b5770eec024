/*
 * Makes calls of the program that it is loaded into (LD_PRELOAD) fail, and sets its wall clock off, as somebody else wants it
 * while the program runs: by the file FAULT_CONTROL, `struct control` below, which system.py writes. A clock of libfaketime
 * would make waits of conditions return at once, and strace's injection counts the calls of each thread by themselves.
 *
 * Of each kind of call the next one, the Nth from now on or several from then on fail: `left` is how many calls are made
 * until one fails, `times` how many fail then. It ends by itself. Files alone are meant: sockets have SEND. Allocations of
 * libfcgi never fail, since it ends the program then (ASSERT in its Malloc()), nor those within getaddrinfo(), which crashes
 * then (glibc 2.36: nss_database.c), nor those before the file is opened.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { WRITE, SHORT, SYNC, RENAME, OPEN, TRUNCATE, UNLINK, READ, SEND, ALLOC, KINDS }; /* as KINDS of system.py */

struct control {
	atomic_llong clock_offset_s;
	struct {
		atomic_llong left;   /* calls until one fails, itself included; 0: none does */
		atomic_llong times;  /* how many fail from then on */
		atomic_llong error;  /* the errno of it */
		atomic_llong failed; /* how many have */
	} kinds[KINDS];
};

/* glibc's own; declared nowhere. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *bytes, size_t size);

static struct control none;
static struct control *_Atomic control = &none;
static uintptr_t fcgi_first, fcgi_last; /* where libfcgi's code lies */

static int find_fcgi(struct dl_phdr_info *info, size_t size, void *user)
{
	(void)size, (void)user;
	for (int i = 0; strstr(info->dlpi_name, "/libfcgi.so") && i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
			fcgi_first = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
			fcgi_last = fcgi_first + info->dlpi_phdr[i].p_memsz;
		}
	}
	return 0;
}

__attribute__((constructor)) static void open_control(void)
{
	const char *path = getenv("FAULT_CONTROL");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *mapped = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(none), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	dl_iterate_phdr(find_fcgi, NULL);
	if (mapped != MAP_FAILED)
		control = mapped;
	/* What the program starts is not meant. */
	unsetenv("LD_PRELOAD");
	unsetenv("FAULT_CONTROL");
}

/* Whether this call of a kind is to fail: errno says how. */
static bool fails(enum kind kind)
{
	struct control *now = control;
	if (atomic_load_explicit(&now->kinds[kind].left, memory_order_relaxed) <= 0)
		return false;
	if (atomic_fetch_sub(&now->kinds[kind].left, 1) != 1)
		return false;
	if (atomic_fetch_sub(&now->kinds[kind].times, 1) > 1)
		atomic_store(&now->kinds[kind].left, 1); /* the next one, too */
	atomic_fetch_add(&now->kinds[kind].failed, 1);
	errno = (int)atomic_load(&now->kinds[kind].error);
	return true;
}

static bool is_file(int fd)
{
	struct stat file;
	int error = errno;
	bool regular = fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
	errno = error;
	return regular;
}

static bool is_socket(int fd)
{
	struct stat file;
	int error = errno;
	bool socket = fstat(fd, &file) == 0 && S_ISSOCK(file.st_mode);
	errno = error;
	return socket;
}

#define REAL(result, name, ...) \
	static result (*real)(__VA_ARGS__); \
	if (!real) \
		*(void **)&real = dlsym(RTLD_NEXT, name)

/* How much of `size` is written: none, -1, a part, or all. */
static ssize_t allowed(int fd, size_t size)
{
	bool file = is_file(fd);
	if (file ? fails(WRITE) : is_socket(fd) && fails(SEND))
		return -1;
	return (ssize_t)(file && size > 1 && fails(SHORT) ? size / 2 : size);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	REAL(ssize_t, "write", int, const void *, size_t);
	ssize_t part = allowed(fd, size);
	return part < 0 ? -1 : real(fd, bytes, (size_t)part);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
	REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
	ssize_t part = allowed(fd, size);
	return part < 0 ? -1 : real(fd, bytes, (size_t)part, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	REAL(ssize_t, "writev", int, const struct iovec *, int);
	struct iovec first = parts[0];
	ssize_t part = allowed(fd, first.iov_len);
	if (part < 0 || (size_t)part == first.iov_len)
		return part < 0 ? -1 : real(fd, parts, count);
	first.iov_len = (size_t)part;
	return real(fd, &first, 1);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
	REAL(ssize_t, "send", int, const void *, size_t, int);
	return fails(SEND) ? -1 : real(fd, bytes, size, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	REAL(ssize_t, "sendmsg", int, const struct msghdr *, int);
	return fails(SEND) ? -1 : real(fd, message, flags);
}

ssize_t pread64(int fd, void *bytes, size_t size, off64_t at)
{
	REAL(ssize_t, "pread64", int, void *, size_t, off64_t);
	return is_file(fd) && fails(READ) ? -1 : real(fd, bytes, size, at);
}

ssize_t read(int fd, void *bytes, size_t size)
{
	REAL(ssize_t, "read", int, void *, size_t);
	return is_file(fd) && fails(READ) ? -1 : real(fd, bytes, size);
}

int fsync(int fd)
{
	REAL(int, "fsync", int);
	return fails(SYNC) ? -1 : real(fd);
}

int fdatasync(int fd)
{
	REAL(int, "fdatasync", int);
	return fails(SYNC) ? -1 : real(fd);
}

int ftruncate64(int fd, off64_t size)
{
	REAL(int, "ftruncate64", int, off64_t);
	return fails(TRUNCATE) ? -1 : real(fd, size);
}

int rename(const char *from, const char *to)
{
	REAL(int, "rename", const char *, const char *);
	return fails(RENAME) ? -1 : real(from, to);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	REAL(int, "renameat", int, const char *, int, const char *);
	return fails(RENAME) ? -1 : real(from_fd, from, to_fd, to);
}

int unlink(const char *path)
{
	REAL(int, "unlink", const char *);
	return fails(UNLINK) ? -1 : real(path);
}

int unlinkat(int fd, const char *path, int flags)
{
	REAL(int, "unlinkat", int, const char *, int);
	return fails(UNLINK) ? -1 : real(fd, path, flags);
}

static mode_t mode_of(int flags, va_list more)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

#define DEFINE_OPEN(name) \
	int name(const char *path, int flags, ...) \
	{ \
		REAL(int, #name, const char *, int, ...); \
		va_list more; \
		va_start(more, flags); \
		mode_t mode = mode_of(flags, more); \
		va_end(more); \
		return fails(OPEN) ? -1 : real(path, flags, mode); \
	}

#define DEFINE_OPENAT(name) \
	int name(int fd, const char *path, int flags, ...) \
	{ \
		REAL(int, #name, int, const char *, int, ...); \
		va_list more; \
		va_start(more, flags); \
		mode_t mode = mode_of(flags, more); \
		va_end(more); \
		return fails(OPEN) ? -1 : real(fd, path, flags, mode); \
	}

DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

static _Thread_local bool resolving __attribute__((tls_model("initial-exec")));

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret_found)
{
	REAL(int, "getaddrinfo", const char *, const char *, const struct addrinfo *, struct addrinfo **);
	resolving = true;
	int result = real(name, service, hints, ret_found);
	resolving = false;
	return result;
}

/* Whether an allocation that is called for from here is to fail. */
static bool alloc_fails(const void *caller)
{
	return !resolving && ((uintptr_t)caller < fcgi_first || (uintptr_t)caller >= fcgi_last) && fails(ALLOC);
}

void *malloc(size_t size)
{
	return alloc_fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return alloc_fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *bytes, size_t size)
{
	return alloc_fails(__builtin_return_address(0)) ? NULL : __libc_realloc(bytes, size);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	REAL(int, "clock_gettime", clockid_t, struct timespec *);
	int result = real(clock, time);
	if (result == 0 && clock == CLOCK_REALTIME)
		time->tv_sec += (time_t)atomic_load_explicit(&control->clock_offset_s, memory_order_relaxed);
	return result;
}
