#include "tests/unit/support/temporary_folder.h"

#include "tests/unit/support/cmocka.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void temporary_folder_make(char ret_folder[static TEMPORARY_FOLDER_SIZE])
{
	const char *parent = getenv("TMPDIR");
	snprintf(ret_folder, TEMPORARY_FOLDER_SIZE, "%s/vigie-test.XXXXXX", parent ? parent : "/tmp");
	if (!mkdtemp(ret_folder))
		fail_msg("%s: cannot be made", ret_folder);
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
