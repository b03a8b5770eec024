/*
 * Records what the program that it is loaded into (LD_PRELOAD) does to the files of one file system: POWER_FOLDER names a folder
 * on it, POWER_LOG the file that the records are appended to, by all programs that are given the same. What is mapped, and what
 * the C library writes by itself (stdio, dprintf), is not seen.
 *
 * A record is a struct record, then `name_length` bytes of names, each with its NUL, then `data_length` bytes of data. One
 * append writes it, so that the order of the records is that of the file. What changes a file is done and recorded under one
 * lock. A sync has two records: all that comes before the first of them is on the disk once the second is there.
 *
 * While there is a file POWER_LOG.kill the program is killed behind its next change: a kill from elsewhere could come between
 * a change and its record.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Known to disk.py. Places are inode numbers, `folder` and `to_folder` those of the folders that the names are in. */
enum kind { CREATE, DATA, SIZE, RENAME, UNLINK, MAKE_FOLDER, SYNC_BEGIN, SYNC_END };

struct record {
	uint32_t kind, name_length, data_length, reserved;
	uint64_t time_ns, inode, folder, to_folder;
	uint64_t at; /* DATA: the offset; SIZE: the size; SYNC_BEGIN and SYNC_END: the number of the sync */
};

static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static char kill_path[4096];
static dev_t device;

/* Declares `real_NAME`, the function whose place is taken. */
#define REAL(result, name, ...) \
	result (*real_##name)(__VA_ARGS__); \
	*(void **)&real_##name = dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void open_log(void)
{
	struct stat folder;
	REAL(int, open, const char *, int, ...);
	const char *path = getenv("POWER_LOG"), *watched = getenv("POWER_FOLDER");
	if (!path || !watched || stat(watched, &folder) != 0 || strlen(path) + sizeof(".kill") > sizeof(kill_path))
		return;
	strcat(strcpy(kill_path, path), ".kill");
	device = folder.st_dev;
	log_fd = real_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

/* A record that is lost would be a lie told later. */
static void append(struct record *record, const char *name, const char *to_name, const struct iovec *data, int count)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	record->time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	struct iovec parts[3 + 16] = {
		{ .iov_base = record, .iov_len = sizeof(*record) },
		{ .iov_base = (char *)(uintptr_t)name, .iov_len = name ? strlen(name) + 1 : 0 },
		{ .iov_base = (char *)(uintptr_t)to_name, .iov_len = to_name ? strlen(to_name) + 1 : 0 },
	};
	record->name_length = (uint32_t)(parts[1].iov_len + parts[2].iov_len);
	size_t left = record->data_length, total = sizeof(*record) + record->name_length + left;
	int used = 3;
	for (int i = 0; i < count && left; i++) {
		if (used == 3 + 16)
			abort();
		parts[used].iov_base = data[i].iov_base;
		parts[used].iov_len = data[i].iov_len < left ? data[i].iov_len : left;
		left -= parts[used++].iov_len;
	}
	REAL(ssize_t, writev, int, const struct iovec *, int);
	if (real_writev(log_fd, parts, used) != (ssize_t)total)
		abort();
	if (record->kind < SYNC_BEGIN && access(kill_path, F_OK) == 0)
		kill(getpid(), SIGKILL);
}

static void append_change(enum kind kind, uint64_t inode, uint64_t at)
{
	struct record record = { .kind = kind, .inode = inode, .at = at };
	append(&record, NULL, NULL, NULL, 0);
}

/* Whether a descriptor is of something that is recorded. */
static int is_watched(int fd, struct stat *ret_file)
{
	int error = errno;
	int watched = log_fd >= 0 && fstat(fd, ret_file) == 0 && ret_file->st_dev == device &&
	              (S_ISREG(ret_file->st_mode) || S_ISDIR(ret_file->st_mode));
	errno = error;
	return watched;
}

/* The folder that a path's last part is in; 0: none that is recorded. */
static uint64_t find_folder(int folder_fd, const char *path, const char **ret_name)
{
	struct stat folder;
	char copy[4096] = ".";
	int error = errno;
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) + 1 : 0;
	if (length >= sizeof(copy))
		abort();
	if (length)
		memcpy(copy, path, length);
	*ret_name = slash ? slash + 1 : path;
	int found = log_fd >= 0 && fstatat(folder_fd, copy, &folder, 0) == 0 && folder.st_dev == device;
	errno = error;
	return found ? folder.st_ino : 0;
}

/* ---- names ---- */

static int open_and_record(int folder_fd, const char *path, int flags, mode_t mode)
{
	struct stat file;
	const char *name;
	REAL(int, openat, int, const char *, int, ...);
	if (!(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE)
		return real_openat(folder_fd, path, flags, mode);
	uint64_t folder = find_folder(folder_fd, path, &name);
	pthread_mutex_lock(&changing);
	int error = errno;
	int was_there = fstatat(folder_fd, path, &file, 0) == 0;
	errno = error;
	int fd = real_openat(folder_fd, path, flags, mode);
	if (fd >= 0 && folder && is_watched(fd, &file)) {
		struct record record = { .kind = CREATE, .inode = file.st_ino, .folder = folder };
		if (!was_there)
			append(&record, name, NULL, NULL, 0);
		else if (flags & O_TRUNC)
			append_change(SIZE, file.st_ino, 0);
	}
	pthread_mutex_unlock(&changing);
	return fd;
}

static mode_t mode_of(int flags, va_list arguments)
{
	return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(arguments, int) : 0;
}

#define OPEN(name, folder_fd, ...) \
	int name(__VA_ARGS__, int flags, ...) \
	{ \
		va_list arguments; \
		va_start(arguments, flags); \
		mode_t mode = mode_of(flags, arguments); \
		va_end(arguments); \
		return open_and_record(folder_fd, path, flags, mode); \
	}
OPEN(open, AT_FDCWD, const char *path)
OPEN(open64, AT_FDCWD, const char *path)
OPEN(openat, folder, int folder, const char *path)
OPEN(openat64, folder, int folder, const char *path)

int renameat2(int folder_fd, const char *path, int to_folder_fd, const char *to_path, unsigned int flags)
{
	REAL(int, renameat2, int, const char *, int, const char *, unsigned int);
	const char *name, *to_name;
	uint64_t folder = find_folder(folder_fd, path, &name), to_folder = find_folder(to_folder_fd, to_path, &to_name);
	struct record record = { .kind = RENAME, .folder = folder, .to_folder = to_folder };
	pthread_mutex_lock(&changing);
	int result = real_renameat2(folder_fd, path, to_folder_fd, to_path, flags);
	if (result == 0 && folder && to_folder)
		append(&record, name, to_name, NULL, 0);
	pthread_mutex_unlock(&changing);
	return result;
}

int renameat(int folder_fd, const char *path, int to_folder_fd, const char *to_path)
{
	return renameat2(folder_fd, path, to_folder_fd, to_path, 0);
}

int rename(const char *path, const char *to_path)
{
	return renameat2(AT_FDCWD, path, AT_FDCWD, to_path, 0);
}

int unlinkat(int folder_fd, const char *path, int flags)
{
	REAL(int, unlinkat, int, const char *, int);
	const char *name;
	struct record record = { .kind = UNLINK, .folder = find_folder(folder_fd, path, &name) };
	pthread_mutex_lock(&changing);
	int result = real_unlinkat(folder_fd, path, flags);
	if (result == 0 && record.folder)
		append(&record, name, NULL, NULL, 0);
	pthread_mutex_unlock(&changing);
	return result;
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int mkdirat(int folder_fd, const char *path, mode_t mode)
{
	REAL(int, mkdirat, int, const char *, mode_t);
	struct stat made;
	const char *name;
	struct record record = { .kind = MAKE_FOLDER, .folder = find_folder(folder_fd, path, &name) };
	pthread_mutex_lock(&changing);
	int result = real_mkdirat(folder_fd, path, mode);
	if (result == 0 && record.folder && fstatat(folder_fd, path, &made, 0) == 0) {
		record.inode = made.st_ino;
		append(&record, name, NULL, NULL, 0);
	}
	pthread_mutex_unlock(&changing);
	return result;
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

/* ---- content ---- */

static void append_data(const struct stat *file, uint64_t at, const struct iovec *data, int count, ssize_t length)
{
	struct record record = { .kind = DATA, .inode = file->st_ino, .at = at, .data_length = (uint32_t)length };
	append(&record, NULL, NULL, data, count);
}

ssize_t writev(int fd, const struct iovec *data, int count)
{
	REAL(ssize_t, writev, int, const struct iovec *, int);
	struct stat file;
	if (!is_watched(fd, &file))
		return real_writev(fd, data, count);
	pthread_mutex_lock(&changing);
	ssize_t length = real_writev(fd, data, count);
	if (length > 0)
		append_data(&file, (uint64_t)(lseek(fd, 0, SEEK_CUR) - length), data, count, length);
	pthread_mutex_unlock(&changing);
	return length;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
	const struct iovec data = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = length };
	return writev(fd, &data, 1);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at)
{
	REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
	struct stat file;
	const struct iovec data = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = length };
	if (!is_watched(fd, &file))
		return real_pwrite(fd, bytes, length, at);
	pthread_mutex_lock(&changing);
	ssize_t written = real_pwrite(fd, bytes, length, at);
	if (written > 0)
		append_data(&file, (uint64_t)at, &data, 1, written);
	pthread_mutex_unlock(&changing);
	return written;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at)
{
	return pwrite(fd, bytes, length, at);
}

/* The file has the size that `change` gives it. */
#define RESIZE(change) \
	struct stat file; \
	if (!is_watched(fd, &file)) \
		return change; \
	pthread_mutex_lock(&changing); \
	int result = change; \
	if (result == 0 && fstat(fd, &file) == 0) \
		append_change(SIZE, file.st_ino, (uint64_t)file.st_size); \
	pthread_mutex_unlock(&changing); \
	return result

int ftruncate(int fd, off_t size)
{
	REAL(int, ftruncate, int, off_t);
	RESIZE(real_ftruncate(fd, size));
}

int ftruncate64(int fd, off_t size)
{
	return ftruncate(fd, size);
}

int posix_fallocate(int fd, off_t at, off_t length)
{
	REAL(int, posix_fallocate, int, off_t, off_t);
	RESIZE(real_posix_fallocate(fd, at, length));
}

int posix_fallocate64(int fd, off_t at, off_t length)
{
	return posix_fallocate(fd, at, length);
}

/* ---- syncs ---- */

static int sync_and_record(int fd, int (*real_sync)(int fd))
{
	static uint32_t syncs;
	struct stat file;
	if (!is_watched(fd, &file))
		return real_sync(fd);
	uint64_t number = (uint64_t)getpid() << 32 | __atomic_add_fetch(&syncs, 1, __ATOMIC_RELAXED);
	append_change(SYNC_BEGIN, file.st_ino, number);
	int result = real_sync(fd);
	if (result == 0)
		append_change(SYNC_END, file.st_ino, number);
	return result;
}

int fsync(int fd)
{
	REAL(int, fsync, int);
	return sync_and_record(fd, real_fsync);
}

int fdatasync(int fd)
{
	REAL(int, fdatasync, int);
	return sync_and_record(fd, real_fdatasync);
}
