#include "common/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/log.h"

enum { ASK_AGAIN_MS = 50 };

/* That it does not fit on the disk hinders nobody. */
static void write_holder(int fd)
{
	if (ftruncate(fd, 0) == 0)
		(void)!dprintf(fd, "%ld\n", (long)getpid());
}

static void read_holder(int fd, char ret_holder[static LOCK_FILE_HOLDER_SIZE])
{
	char content[24] = "";
	long number = 0;
	if (pread(fd, content, sizeof(content) - 1, 0) > 0)
		(void)!sscanf(content, "%19ld", &number);
	if (number > 0)
		snprintf(ret_holder, LOCK_FILE_HOLDER_SIZE, "process %ld", number);
	else
		strcpy(ret_holder, "another process");
}

int lock_file_take(int folder_fd, const char *path, int *ret_fd, char ret_holder[static LOCK_FILE_HOLDER_SIZE])
{
	int fd = openat(folder_fd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		write_holder(fd);
		*ret_fd = fd;
		return 0;
	}
	int result = -errno;
	if (result == -EWOULDBLOCK) {
		result = -EBUSY;
		read_holder(fd, ret_holder);
	}
	close(fd);
	return result;
}

static int take_in_time(const char *lock_path, const char *path, const char *what, int64_t wait_ms, int *ret_fd,
                        char ret_holder[static LOCK_FILE_HOLDER_SIZE])
{
	int result = lock_file_take(AT_FDCWD, lock_path, ret_fd, ret_holder);
	if (result == -EBUSY)
		log_info("%s %s: waiting for %s, which uses it", what, path, ret_holder);
	for (int64_t waited_ms = 0; result == -EBUSY && waited_ms < wait_ms; waited_ms += ASK_AGAIN_MS) {
		usleep(ASK_AGAIN_MS * 1000);
		result = lock_file_take(AT_FDCWD, lock_path, ret_fd, ret_holder);
	}
	return result;
}

int lock_file_wait(const char *path, const char *what, int64_t wait_ms, int *ret_fd, struct text *ret_error)
{
	char holder[LOCK_FILE_HOLDER_SIZE];
	struct text lock_path = TEXT_EMPTY;
	text_printf(&lock_path, "%s.lock", path);
	size_t length = strlen(path);
	int result;
	if (text_failed(&lock_path))
		result = -ENOMEM;
	else if (length == 0 || path[length - 1] == '/')
		result = -EISDIR; /* the lock would be a file within */
	else
		result = take_in_time(lock_path.data, path, what, wait_ms, ret_fd, holder);
	if (result == -EBUSY)
		text_printf(ret_error, "%s %s is in use by %s", what, path, holder);
	else if (result)
		text_printf(ret_error, "%s %s: cannot lock %s.lock: %s", what, path, path, strerror(-result));
	text_free(&lock_path);
	return result;
}
