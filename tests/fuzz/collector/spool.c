/* A file in the spool: as it is, and with a header and a checksum that fit, so that what is behind them is read. */
#include "tests/fuzz/fuzz.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <zlib.h>

#include "collector/spool.h"

#define FILE_NAME "0000000000000001-3.batch"

/* As collector/batch_file.c has it; all numbers in this machine's byte order. */
enum { MAGIC_SIZE = 8, CHECKSUM_AT = 8, CHECKED_AT = 12, SIZE_AT = 48, HEADER_SIZE = 56 };

enum { BYTES_MAX = 1 << 20 };

static char folder[256];

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

static void remove_folder(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_folder(void)
{
	const char *parent = getenv("TMPDIR");
	snprintf(folder, sizeof(folder), "%s/vigie-fuzz.XXXXXX", parent ? parent : "/tmp");
	if (!mkdtemp(folder))
		abort();
	atexit(remove_folder);
}

static void write_file(const void *bytes, size_t size)
{
	char path[sizeof(folder) + sizeof(FILE_NAME)];
	snprintf(path, sizeof(path), "%s/" FILE_NAME, folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert(fd >= 0);
	if (write(fd, bytes, size) != (ssize_t)size)
		abort();
	close(fd);
}

/* Whatever a batch holds, it is sent as JSON, in either form. */
static void check_json(const struct batch *batch)
{
	for (int by_process = 0; by_process <= 1; by_process++) {
		struct text json = TEXT_EMPTY;
		text_append_char(&json, '{');
		const struct batch_form form = { by_process, RESOURCE_FURTHER };
		size_t written = batch_append_json(batch, 0, batch->count, form, &json);
		text_append_char(&json, '}');
		cJSON *tree = text_failed(&json) ? NULL : cJSON_ParseWithOpts(json.data, NULL, true);
		assert(tree);
		size_t samples = (size_t)cJSON_GetArraySize(cJSON_GetObjectItem(tree, "data"));
		const cJSON *process, *value;
		cJSON_ArrayForEach(process, cJSON_GetObjectItem(tree, "processes"))
			cJSON_ArrayForEach(value, process)
				samples += cJSON_IsNumber(value) ? 1 : 0;
		assert(samples == batch_samples(batch, 0, batch->count) && samples == written);
		cJSON_Delete(tree);
		text_free(&json);
	}
}

/* What is put behind it is what it is. */
static void check_copy(struct spool *spool, const struct batch *batch)
{
	struct batch_file file;
	struct batch *copy;
	size_t dropped;
	int result = spool_put(spool, batch, &dropped);
	assert(result == 0 && dropped == 0 && spool_count(spool) == 2);
	bool found = spool_find(spool, 2, &file);
	assert(found && file.samples == (uint32_t)batch_samples(batch, 0, batch->count));
	result = spool_read(spool, &file, &copy);
	assert(result == 0 && copy->count == batch->count && copy->size == batch->size);
	assert(memcmp(copy->packed, batch->packed, batch->size) == 0);
	assert(copy->stamp.time_ms == batch->stamp.time_ms && copy->stamp.boot_ms == batch->stamp.boot_ms);
	copy->done = copy->count / 2;
	batch_forget_done(copy);
	assert(batch_is_sound(copy));
	spool_remove(spool, &file);
	free(copy);
}

static void check(const void *bytes, size_t size)
{
	struct spool *spool;
	struct batch_file file;
	struct batch *batch;
	write_file(bytes, size);
	int result = spool_open(folder, BYTES_MAX, &spool);
	assert(result == 0);
	bool found = spool_find(spool, 0, &file);
	assert(found && spool_count(spool) == 1);
	result = spool_read(spool, &file, &batch);
	assert(result == 0 || result == -EBADMSG);
	if (result == 0) {
		assert(batch_is_sound(batch));
		check_json(batch);
		check_copy(spool, batch);
		free(batch);
	}
	spool_remove(spool, &file);
	spool_close(spool);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (!folder[0])
		make_folder();
	check(bytes, size);
	if (size < HEADER_SIZE)
		return 0;
	char *fitting = fuzz_string(bytes, size);
	uint64_t rest = size - HEADER_SIZE;
	uint32_t form;
	memcpy(&form, fitting + CHECKED_AT, sizeof(form));
	memcpy(fitting, form >> 1 ? "vigie 2\n" : "vigie 1\n", MAGIC_SIZE);
	memcpy(fitting + SIZE_AT, &rest, sizeof(rest));
	uint32_t checksum = (uint32_t)crc32_z(0, (const unsigned char *)fitting + CHECKED_AT, size - CHECKED_AT);
	memcpy(fitting + CHECKSUM_AT, &checksum, sizeof(checksum));
	check(fitting, size);
	free(fitting);
	return 0;
}
