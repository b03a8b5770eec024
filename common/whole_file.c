#include "common/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int whole_file_read(const char *path, struct text *content)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	char piece[65536];
	while (!feof(file) && !ferror(file) && !text_failed(content))
		text_append(content, piece, fread(piece, 1, sizeof(piece), file));
	int result = ferror(file) ? -errno : text_failed(content) ? -ENOMEM : 0;
	fclose(file);
	return result;
}

static char *with_suffix(const char *path, const char *suffix)
{
	struct text text = TEXT_EMPTY;
	text_printf(&text, "%s%s", path, suffix);
	if (text_failed(&text))
		text_free(&text);
	return text.data;
}

int whole_file_sync_folder(const char *path)
{
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd < 0 || fsync(fd) != 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	free(copy);
	return result;
}

static int write_content(const char *path, const struct text *content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	int result = 0;
	for (size_t done = 0; done < content->length && !result;) {
		ssize_t written = write(fd, content->data + done, content->length - done);
		if (written >= 0)
			done += (size_t)written;
		else if (errno != EINTR)
			result = -errno;
	}
	if (!result && fsync(fd) != 0)
		result = -errno;
	if (close(fd) != 0 && !result)
		result = -errno;
	return result;
}

int whole_file_replace(const char *path, const struct text *content)
{
	char *new_path = with_suffix(path, ".new");
	int result = text_failed(content) || !new_path ? -ENOMEM : write_content(new_path, content);
	if (!result && rename(new_path, path) != 0)
		result = -errno;
	if (result && new_path)
		unlink(new_path);
	if (!result)
		result = whole_file_sync_folder(path);
	free(new_path);
	return result;
}

int whole_file_move_aside(const char *path)
{
	char *broken = with_suffix(path, ".broken");
	int result = !broken ? -ENOMEM : rename(path, broken) != 0 ? -errno : 0;
	free(broken);
	return result;
}
