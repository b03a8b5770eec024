/* What is logged meanwhile. */
#ifndef VIGIE_TESTS_CAPTURED_LOG_H
#define VIGIE_TESTS_CAPTURED_LOG_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static FILE *log_file;
static int real_stderr;
static char logged[16384];

static void begin_log(void)
{
	log_file = tmpfile();
	real_stderr = dup(STDERR_FILENO);
	dup2(fileno(log_file), STDERR_FILENO);
}

/* The number of lines, which `logged` then holds. */
static size_t end_log(void)
{
	size_t lines = 0;
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	rewind(log_file);
	logged[fread(logged, 1, sizeof(logged) - 1, log_file)] = '\0';
	fclose(log_file);
	log_file = NULL;
	for (const char *at = logged; *at; at++)
		lines += *at == '\n';
	return lines;
}

/* Behind a test that failed meanwhile. */
static inline void abandon_log(void)
{
	if (log_file && end_log())
		fputs(logged, stderr);
}

#endif
