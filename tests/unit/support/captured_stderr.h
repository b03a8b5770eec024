/*
 * What is written to standard error meanwhile, by this program and its children: the log, as a
 * rule. One capture at a time.
 *
 * For the thread of the test. What the machine does not give ends the program.
 */
#ifndef VIGIE_TESTS_CAPTURED_STDERR_H
#define VIGIE_TESTS_CAPTURED_STDERR_H

#include <stddef.h>

void captured_stderr_begin(void);

/* Puts standard error back and gives the number of lines. What fail_msg() wrote meanwhile is passed on. */
size_t captured_stderr_end(void);

/* For the tear-down of tests that end their captures themselves: of one that failed meanwhile all is passed on. */
void captured_stderr_abandon(void);

/* What has been captured since it began, until now or until its end; good until the next call of any of these. */
const char *captured_stderr_text(void);

/* How often these words are in it. */
size_t captured_stderr_count(const char *words);

#endif
