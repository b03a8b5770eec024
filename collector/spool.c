#include "collector/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/syncer.h"
#include "common/lock_file.h"
#include "common/whole_file.h"

#define LOCK_NAME "lock"
#define ASIDE_NAME "rejected"

struct spool {
	int folder_fd, lock_fd;
	struct syncer *syncer;
	int64_t bytes_max;
	struct batch_file *files; /* by number; those from `first` on */
	size_t first, count, capacity;
	int64_t blocks;
	uint64_t next_number;
};

/* Opens and locks; 0 or a negative errno, and then spool_close() closes what is open. */
static int enter(struct spool *spool, const char *folder)
{
	bool made = mkdir(folder, 0700) == 0;
	if (!made && errno != EEXIST)
		return -errno;
	if (made)
		(void)!whole_file_sync_folder(folder); /* of one that cannot be read the kernel does it, some time */
	spool->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (spool->folder_fd < 0)
		return -errno;
	char holder[LOCK_FILE_HOLDER_SIZE];
	int result = lock_file_take(spool->folder_fd, LOCK_NAME, &spool->lock_fd, holder);
	if (result)
		return result;
	result = syncer_open(spool->folder_fd, &spool->syncer);
	if (result)
		return result;
	unlinkat(spool->folder_fd, BATCH_FILE_NEW, 0); /* of a run that was killed */
	return batch_file_list(spool->folder_fd, &spool->files, &spool->count);
}

/* The folder of the rejected ones. */
static int open_aside(const struct spool *spool)
{
	int fd = openat(spool->folder_fd, ASIDE_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The same, made where it is missing. */
static int make_aside(const struct spool *spool)
{
	if (mkdirat(spool->folder_fd, ASIDE_NAME, 0700) != 0 && errno != EEXIST)
		return -errno;
	return open_aside(spool);
}

/* Numbers go on behind those of a list. */
static void number_behind(struct spool *spool, const struct batch_file *files, size_t count)
{
	if (count && files[count - 1].number >= spool->next_number)
		spool->next_number = files[count - 1].number + 1;
}

/* A file that was set aside is not to be written over. 0; or it could not be looked at for want of memory or descriptors. */
static int number_behind_aside(struct spool *spool)
{
	struct batch_file *files;
	size_t count;
	int aside_fd = open_aside(spool);
	int result = aside_fd < 0 ? aside_fd : batch_file_list(aside_fd, &files, &count);
	if (result == 0) {
		number_behind(spool, files, count);
		free(files);
	}
	if (aside_fd >= 0)
		close(aside_fd);
	/* Where the folder is not there, or none of ours, nothing is set aside; and one that its disk fails is no reason to go
	 * without the spool. */
	return result == -ENOMEM || result == -EMFILE || result == -ENFILE ? result : 0;
}

int spool_open(const char *folder, int64_t bytes_max, struct spool **ret_spool)
{
	struct spool *spool = calloc(1, sizeof(*spool));
	if (!spool)
		return -ENOMEM;
	spool->folder_fd = spool->lock_fd = -1;
	spool->bytes_max = bytes_max;
	spool->next_number = 1;
	int result = enter(spool, folder);
	if (result == 0)
		result = number_behind_aside(spool);
	if (result) {
		spool_close(spool);
		return result;
	}
	number_behind(spool, spool->files, spool->count);
	spool->capacity = spool->count;
	for (size_t i = 0; i < spool->count; i++)
		spool->blocks += spool->files[i].blocks;
	/* A run that was killed may not have had its last ones synced. */
	for (size_t i = spool->count > SYNCER_WAITING_MAX ? spool->count - SYNCER_WAITING_MAX : 0; i < spool->count; i++)
		syncer_add(spool->syncer, &spool->files[i]);
	*ret_spool = spool;
	return 0;
}

void spool_close(struct spool *spool)
{
	if (!spool)
		return;
	syncer_close(spool->syncer);
	if (spool->lock_fd >= 0)
		close(spool->lock_fd);
	if (spool->folder_fd >= 0)
		close(spool->folder_fd);
	free(spool->files);
	free(spool);
}

void spool_set_bytes_max(struct spool *spool, int64_t bytes_max)
{
	spool->bytes_max = bytes_max;
}

/* Makes room for one more in the list of files. */
static bool reserve(struct spool *spool)
{
	if (spool->first + spool->count < spool->capacity)
		return true;
	if (spool->first > spool->count) {
		memcpy(spool->files, spool->files + spool->first, spool->count * sizeof(spool->files[0]));
		spool->first = 0;
		return true;
	}
	size_t capacity = spool->capacity ? spool->capacity * 2 : 64;
	struct batch_file *files = realloc(spool->files, capacity * sizeof(*files));
	if (!files)
		return false;
	spool->files = files;
	spool->capacity = capacity;
	return true;
}

int spool_put(struct spool *spool, const struct batch *batch, size_t *ret_dropped)
{
	struct batch_file file = batch_file_of(batch, spool->next_number);
	int64_t blocks_max = spool->bytes_max / BATCH_FILE_BLOCK;
	*ret_dropped = 0;
	if (file.blocks > blocks_max)
		return -EFBIG;
	if (!reserve(spool))
		return -ENOMEM;
	while (spool->blocks + file.blocks > blocks_max) {
		struct batch_file oldest = spool->files[spool->first];
		*ret_dropped += oldest.samples;
		spool_remove(spool, &oldest);
	}
	int result = batch_file_write(spool->folder_fd, &file, batch);
	if (result)
		return result;
	spool->files[spool->first + spool->count++] = file;
	spool->blocks += file.blocks;
	spool->next_number++;
	syncer_add(spool->syncer, &file);
	return 0;
}

/* The place, from `first` on, of the first file whose number is at least `number`. */
static size_t place_of(const struct spool *spool, uint64_t number)
{
	size_t low = 0, high = spool->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (spool->files[spool->first + middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool spool_find(const struct spool *spool, uint64_t number, struct batch_file *ret_file)
{
	size_t place = place_of(spool, number);
	if (place == spool->count)
		return false;
	*ret_file = spool->files[spool->first + place];
	return true;
}

int spool_read(const struct spool *spool, const struct batch_file *file, struct batch **ret_batch)
{
	return batch_file_read(spool->folder_fd, file, ret_batch);
}

static void forget(struct spool *spool, const struct batch_file *file)
{
	size_t place = place_of(spool, file->number);
	struct batch_file *at = &spool->files[spool->first + place];
	if (place == spool->count || at->number != file->number)
		return;
	spool->blocks -= at->blocks;
	spool->count--;
	if (place == 0)
		spool->first++;
	else
		memmove(at, at + 1, (spool->count - place) * sizeof(*at));
}

void spool_remove(struct spool *spool, const struct batch_file *file)
{
	(void)batch_file_unlink(spool->folder_fd, file);
	forget(spool, file);
}

static void trim_aside(int aside_fd)
{
	struct batch_file *files;
	size_t count;
	if (batch_file_list(aside_fd, &files, &count) != 0)
		return;
	for (size_t i = 0; i + SPOOL_REJECTED_MAX < count; i++)
		(void)batch_file_unlink(aside_fd, &files[i]);
	free(files);
}

void spool_set_aside(struct spool *spool, const struct batch_file *file)
{
	int aside_fd = make_aside(spool);
	if (aside_fd >= 0) {
		if (batch_file_move(spool->folder_fd, aside_fd, file) == 0)
			trim_aside(aside_fd);
		close(aside_fd);
	}
	spool_remove(spool, file);
}

int spool_put_aside(struct spool *spool, const struct batch *batch)
{
	struct batch_file file = batch_file_of(batch, spool->next_number);
	int aside_fd = make_aside(spool);
	if (aside_fd < 0)
		return aside_fd;
	int result = batch_file_write(aside_fd, &file, batch);
	if (result == 0) {
		spool->next_number++;
		trim_aside(aside_fd);
	}
	close(aside_fd);
	return result;
}

size_t spool_count(const struct spool *spool)
{
	return spool->count;
}

int64_t spool_bytes(const struct spool *spool)
{
	return spool->blocks * BATCH_FILE_BLOCK;
}
