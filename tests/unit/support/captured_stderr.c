#include "tests/unit/support/captured_stderr.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/text.h"

static int kept = -1; /* standard error meanwhile; -1: nothing is captured */
static int file;      /* what is in its place */
static struct text captured;

void captured_stderr_begin(void)
{
	fflush(stderr);
	if (kept >= 0)
		abort();
	kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	file = memfd_create("captured-stderr", MFD_CLOEXEC);
	if (kept < 0 || file < 0 || dup2(file, STDERR_FILENO) < 0)
		abort();
}

const char *captured_stderr_text(void)
{
	if (kept >= 0) {
		char piece[4096];
		ssize_t length;
		fflush(stderr);
		text_reset(&captured);
		text_append_string(&captured, "");
		while (length = pread(file, piece, sizeof(piece), (off_t)captured.length), length > 0)
			text_append(&captured, piece, (size_t)length);
		if (text_failed(&captured))
			abort();
	}
	return captured.data;
}

size_t captured_stderr_count(const char *words)
{
	size_t count = 0;
	for (const char *at = strstr(captured_stderr_text(), words); at; at = strstr(at + 1, words))
		count++;
	return count;
}

size_t captured_stderr_end(void)
{
	const char *text = captured_stderr_text();
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(file);
	kept = -1;
	if (strstr(text, "ERROR: ")) /* cmocka's; the log writes it small */
		fputs(text, stderr);
	return captured_stderr_count("\n");
}

void captured_stderr_abandon(void)
{
	if (kept < 0)
		return;
	captured_stderr_end();
	if (!strstr(captured.data, "ERROR: "))
		fputs(captured.data, stderr);
}
