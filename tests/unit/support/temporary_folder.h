/*
 * Folders for the files of a test, in $TMPDIR or /tmp, and small files in them. A test removes the
 * folders that it makes: with rmdir(2) where it means to show that nothing is left in them.
 *
 * What the machine does not give ends the test.
 */
#ifndef VIGIE_TESTS_TEMPORARY_FOLDER_H
#define VIGIE_TESTS_TEMPORARY_FOLDER_H

enum { TEMPORARY_FOLDER_SIZE = 256 }; /* of a path, its NUL included */

/* Makes an empty folder of a new name. */
void temporary_folder_make(char ret_folder[static TEMPORARY_FOLDER_SIZE]);

/* The same in memory, where neither $TMPDIR says another place nor room lacks: for tests that sync thousands of times and
 * are not about the disk. */
void temporary_folder_make_in_memory(char ret_folder[static TEMPORARY_FOLDER_SIZE]);

/* Removes the folder and all that is in it, but for other file systems mounted there. Harmless when it is gone. */
void temporary_folder_remove(const char *folder);

/* Writes a file that is for its owner alone, as secrets are, in the place of what it held. */
void temporary_file_write(const char *path, const char *content);

#endif
