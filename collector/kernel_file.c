#include "collector/kernel_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
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

bool kernel_file_number(const char *text, const char *key, uint64_t *ret_number)
{
	size_t length = strlen(key);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == ':') {
			*ret_number = strtoull(line + length + 1, NULL, 10);
			return true;
		}
	}
	return false;
}
