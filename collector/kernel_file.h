/*
 * Small files that the kernel makes when they are read, of /proc and of control groups: one read gives such a file whole
 * where there is room for it.
 */
#ifndef VIGIE_COLLECTOR_KERNEL_FILE_H
#define VIGIE_COLLECTOR_KERNEL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads up to size - 1 bytes as a string. 0, or a negative errno and an empty string. */
int kernel_file_read(const char *path, char *text, size_t size);

/* The number of a line "key:   number …" of such a text; false when there is none. */
bool kernel_file_number(const char *text, const char *key, uint64_t *ret_number);

#endif
