#include "collector/kernel_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int kernel_file_read(const char *path, char *text, size_t size)
{
	text[0] = '\0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t length = read(fd, text, size - 1);
	int result = length < 0 ? -errno : 0;
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	return result;
}
