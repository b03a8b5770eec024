#include "collector/io.h"

#include <errno.h>
#include <stdio.h>

#include "collector/kernel_file.h"

enum { PATH_SIZE = 128, FILE_SIZE = 512 };

bool io_parse(const char *text, struct io *ret_io)
{
	struct io io;
	if (!kernel_file_number(text, "read_bytes", &io.read_bytes) || !kernel_file_number(text, "write_bytes", &io.write_bytes))
		return false;
	*ret_io = io;
	return true;
}

static int read_io(const char *path, struct io *ret_io)
{
	char text[FILE_SIZE];
	int result = kernel_file_read(path, text, sizeof(text));
	return result ? result : io_parse(text, ret_io) ? 0 : -EBADMSG;
}

int io_read(const char *proc, int pid, struct io *ret_io)
{
	char path[PATH_SIZE];
	snprintf(path, sizeof(path), "%s/%d/io", proc, pid);
	int result = read_io(path, ret_io);
	return result == -ENOENT ? -ESRCH : result == -EPERM ? -EACCES : result;
}

int io_check(const char *proc)
{
	char path[PATH_SIZE];
	struct io io;
	snprintf(path, sizeof(path), "%s/self/io", proc);
	return read_io(path, &io);
}
