/*
 * Small files that are read and replaced as a whole, such as a program's state: whoever
 * reads one finds the old content or the new one, whatever happens meanwhile.
 *
 * One program uses a file.
 */
#ifndef VIGIE_COMMON_WHOLE_FILE_H
#define VIGIE_COMMON_WHOLE_FILE_H

#include "common/text.h"

/* Appends the file's content. 0 or a negative errno. */
int whole_file_read(const char *path, struct text *content) __attribute__((warn_unused_result));

/* Writes `content` beside the file (".new"), syncs it, renames it and syncs the folder.
 * 0; -ENOMEM for a text that has failed; or a negative errno: the file is then as it was,
 * or new but not synced. */
int whole_file_replace(const char *path, const struct text *content) __attribute__((warn_unused_result));

/* Syncs the folder that a file is in: that the file was made, or has got its name, is on the disk then. 0 or a negative errno. */
int whole_file_sync_folder(const char *path) __attribute__((warn_unused_result));

/* Renames a file that is of no use to "<path>.broken". 0 or a negative errno. */
int whole_file_move_aside(const char *path) __attribute__((warn_unused_result));

#endif
