/*
 * A terminal as lines of text in some styles, and its keys. The only file that includes ncurses.
 *
 * What is drawn is text that top/label.h has made harmless. One thread uses a screen, one at a time is open. While it is,
 * SIGINT and SIGTERM put the terminal back and end the program, and SIGWINCH makes a key.
 */
#ifndef VIGIE_TOP_SCREEN_H
#define VIGIE_TOP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

enum screen_style {
	SCREEN_PLAIN, SCREEN_RED, SCREEN_AMBER, SCREEN_UNKNOWN, SCREEN_OLD, SCREEN_HEADING, SCREEN_BAD,
};

/* False: the terminal, the environment's TERM, is none that can be drawn on. */
bool screen_open(void) __attribute__((warn_unused_result));

/* Puts the terminal back. */
void screen_close(void);

void screen_size(size_t *ret_lines, size_t *ret_columns);

/* Where keys come from. */
int screen_fd(void);

/* The next key as session_press() takes it, SCREEN_RESIZED, or SCREEN_NONE: there is none now. Never waits, but for the
 * rest of a key's sequence. */
enum { SCREEN_NONE = -1, SCREEN_RESIZED = 0x200, SCREEN_OTHER };
int screen_read_key(void);

/* A picture: begun with nothing on it, given its lines from the top, and shown. A heading has its style up to the edge. */
void screen_begin(void);
void screen_put(size_t line, const char *text, enum screen_style style);
void screen_show(void);

#endif
