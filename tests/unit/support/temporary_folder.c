#include "tests/unit/support/temporary_folder.h"

#include "tests/unit/support/cmocka.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROOM_BYTES (UINT64_C(256) << 20) /* a test's files are far smaller */

static void make_in(const char *parent, char ret_folder[static TEMPORARY_FOLDER_SIZE])
{
	snprintf(ret_folder, TEMPORARY_FOLDER_SIZE, "%s/vigie-test.XXXXXX", parent);
	if (!mkdtemp(ret_folder))
		fail_msg("%s: cannot be made", ret_folder);
}

void temporary_folder_make(char ret_folder[static TEMPORARY_FOLDER_SIZE])
{
	const char *parent = getenv("TMPDIR");
	make_in(parent ? parent : "/tmp", ret_folder);
}

void temporary_folder_make_in_memory(char ret_folder[static TEMPORARY_FOLDER_SIZE])
{
	static const char memory[] = "/dev/shm";
	struct statvfs room;
	if (!getenv("TMPDIR") && access(memory, W_OK) == 0 && statvfs(memory, &room) == 0 &&
	    (uint64_t)room.f_bavail * room.f_frsize >= ROOM_BYTES)
		make_in(memory, ret_folder);
	else
		temporary_folder_make(ret_folder);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

void temporary_folder_remove(const char *folder)
{
	if (nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 && access(folder, F_OK) == 0)
		fail_msg("%s: cannot be removed", folder);
}

void temporary_file_write(const char *path, const char *content)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (file < 0 || write(file, content, strlen(content)) != (ssize_t)strlen(content))
		fail_msg("%s: cannot be written", path);
	close(file);
}
