#define ZLIB_CONST
#include "collector/batch_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

enum { NAME_SIZE = 48 };
enum { PACKED_MAX = 256 << 20 }; /* bytes: a million processes would be 30 MiB */

/* Of batches without further resources, and with some: an earlier version takes these for damaged. */
static const char magics[2][8] = { "vigie 1\n", "vigie 2\n" };

enum { SETTLED = 1, FURTHER_SHIFT = 1, FURTHER_MAX = 1000 };

struct header {
	char magic[8];
	uint32_t checksum; /* CRC-32 of all that follows it */
	uint32_t form; /* SETTLED, and from the next bit on how many further resources each name has */
	int64_t time_ms, boot_ms;
	uint64_t boot_id;
	uint64_t count, size; /* of the packed values */
};

static void format_name(const struct batch_file *file, char ret_name[static NAME_SIZE])
{
	snprintf(ret_name, NAME_SIZE, "%016" PRIu64 "-%" PRIu32 ".batch", file->number, file->samples);
}

static bool parse_name(const char *name, struct batch_file *ret_file)
{
	char again[NAME_SIZE];
	struct batch_file file = { 0 };
	if (sscanf(name, "%" SCNu64 "-%" SCNu32, &file.number, &file.samples) != 2)
		return false;
	format_name(&file, again);
	if (strcmp(name, again) != 0)
		return false;
	*ret_file = file;
	return true;
}

static uint32_t blocks_of(int64_t bytes)
{
	return (uint32_t)((bytes + BATCH_FILE_BLOCK - 1) / BATCH_FILE_BLOCK);
}

struct batch_file batch_file_of(const struct batch *batch, uint64_t number)
{
	return (struct batch_file){
		.number = number,
		.samples = (uint32_t)batch_samples(batch, 0, batch->count),
		.blocks = blocks_of((int64_t)(sizeof(struct header) + batch->size)),
	};
}

static uint32_t checksum_of(const struct header *header, const char *packed)
{
	const char *rest = (const char *)&header->form;
	uLong checksum = crc32(0, (const Bytef *)rest, (uInt)((const char *)(header + 1) - rest));
	return (uint32_t)crc32_z(checksum, (const Bytef *)packed, header->size);
}

int batch_file_write(int folder_fd, const struct batch_file *file, const struct batch *batch)
{
	char name[NAME_SIZE];
	format_name(file, name);
	struct header header = {
		.form = (batch->stamp.settled ? SETTLED : 0) | (uint32_t)batch->further << FURTHER_SHIFT,
		.time_ms = batch->stamp.time_ms,
		.boot_ms = batch->stamp.boot_ms,
		.boot_id = batch->stamp.boot_id,
		.count = batch->count,
		.size = batch->size,
	};
	memcpy(header.magic, magics[batch->further > 0], sizeof(header.magic));
	header.checksum = checksum_of(&header, batch->packed);

	int fd = openat(folder_fd, BATCH_FILE_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	struct iovec parts[] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = (char *)(uintptr_t)batch->packed, .iov_len = batch->size },
	};
	/* A regular file takes a part of it only when the disk is full. */
	ssize_t written = writev(fd, parts, 2);
	int result = written == (ssize_t)(sizeof(header) + batch->size) ? 0 : written < 0 ? -errno : -ENOSPC;
	if (close(fd) != 0 && result == 0)
		result = -errno; /* EDQUOT and EIO may come as late as this */
	if (result == 0 && renameat(folder_fd, BATCH_FILE_NEW, folder_fd, name) != 0)
		result = -errno;
	if (result)
		unlinkat(folder_fd, BATCH_FILE_NEW, 0);
	return result;
}

int batch_file_sync(int folder_fd, const struct batch_file *file)
{
	char name[NAME_SIZE];
	format_name(file, name);
	int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	int result = fsync(fd) == 0 ? 0 : -errno;
	close(fd);
	return result;
}

/* Reads what follows a header, which says how long it is. */
static int read_packed(int fd, const struct header *header, struct batch **ret_batch)
{
	struct batch *batch = malloc(sizeof(*batch) + header->size);
	if (!batch)
		return -ENOMEM;
	*batch = (struct batch){
		.stamp = { header->time_ms, header->boot_ms, header->boot_id, (header->form & SETTLED) != 0 },
		.count = header->count,
		.further = header->form >> FURTHER_SHIFT,
		.size = header->size,
	};
	int result = 0;
	ssize_t length = read(fd, batch->packed, batch->size);
	if (length < 0)
		result = -errno;
	else if ((size_t)length != batch->size || checksum_of(header, batch->packed) != header->checksum ||
	         !batch_is_sound(batch))
		result = -EBADMSG;
	if (result)
		free(batch);
	else
		*ret_batch = batch;
	return result;
}

static bool is_known(const struct header *header)
{
	uint32_t further = header->form >> FURTHER_SHIFT;
	return further <= FURTHER_MAX && memcmp(header->magic, magics[further > 0], sizeof(header->magic)) == 0;
}

int batch_file_read(int folder_fd, const struct batch_file *file, struct batch **ret_batch)
{
	char name[NAME_SIZE];
	struct header header;
	struct stat status;
	format_name(file, name);
	int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int result = -EBADMSG;
	ssize_t length = read(fd, &header, sizeof(header));
	if (length < 0 || fstat(fd, &status) != 0)
		result = -errno;
	else if (length == sizeof(header) && is_known(&header) && header.size <= PACKED_MAX &&
	         status.st_size == (off_t)(sizeof(header) + header.size))
		result = read_packed(fd, &header, ret_batch);
	close(fd);
	return result;
}

int batch_file_unlink(int folder_fd, const struct batch_file *file)
{
	char name[NAME_SIZE];
	format_name(file, name);
	return unlinkat(folder_fd, name, 0) == 0 ? 0 : -errno;
}

int batch_file_move(int from_fd, int to_fd, const struct batch_file *file)
{
	char name[NAME_SIZE];
	format_name(file, name);
	return renameat(from_fd, name, to_fd, name) == 0 ? 0 : -errno;
}

/* Whether a name in a folder is one of ours. */
static bool look(int folder_fd, const char *name, struct batch_file *ret_file)
{
	struct stat status;
	struct batch_file file;
	if (!parse_name(name, &file) || fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(status.st_mode) || status.st_uid != geteuid())
		return false;
	file.blocks = blocks_of(status.st_size);
	*ret_file = file;
	return true;
}

static int compare_files(const void *left, const void *right)
{
	const struct batch_file *a = left, *b = right;
	return (a->number > b->number) - (a->number < b->number);
}

int batch_file_list(int folder_fd, struct batch_file **ret_files, size_t *ret_count)
{
	int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	if (!stream) {
		int result = -errno;
		if (fd >= 0)
			close(fd);
		return result;
	}
	struct batch_file file, *files = NULL;
	size_t count = 0, capacity = 0;
	int result = 0;
	for (struct dirent *found = readdir(stream); found; found = readdir(stream)) {
		if (!look(folder_fd, found->d_name, &file))
			continue;
		if (count == capacity) {
			capacity = capacity ? capacity * 2 : 64;
			struct batch_file *more = realloc(files, capacity * sizeof(file));
			if (!more) {
				result = -ENOMEM;
				break;
			}
			files = more;
		}
		files[count++] = file;
	}
	closedir(stream);
	if (result) {
		free(files);
		return result;
	}
	if (count > 1)
		qsort(files, count, sizeof(file), compare_files);
	*ret_files = files;
	*ret_count = count;
	return 0;
}
