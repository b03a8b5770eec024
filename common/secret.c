#include "common/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"

enum { SECRET_MAX = 4096 };

int secret_read(const char *path, struct text *ret_secret)
{
	char line[SECRET_MAX];
	struct stat status;
	FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	const char *read = fgets(line, sizeof(line), file);
	int result = !read && ferror(file) ? -EIO : 0;
	if (read && strlen(line) == sizeof(line) - 1 && line[sizeof(line) - 2] != '\n')
		result = -EFBIG; /* it goes on: a secret that is cut would only be refused */
	if (fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & (S_IRGRP | S_IROTH)))
		log_warning("%s: others than its owner may read this secret (chmod 600)", path);
	fclose(file);
	if (result)
		return result;

	static const char white[] = " \t\r\n";
	const char *start = read ? line + strspn(line, white) : "";
	size_t length = strlen(start);
	while (length > 0 && strchr(white, start[length - 1]))
		length--;
	if (length == 0)
		return -EINVAL;
	text_append(ret_secret, start, length);
	return text_failed(ret_secret) ? -ENOMEM : 0;
}
