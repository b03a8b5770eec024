#include "top/screen.h"

#include <curses.h>
#include <stdio.h>
#include <term.h>
#include <unistd.h>

#include "top/keys.h"

enum { ESCAPE_MS = 50 }; /* what comes later than that behind an Esc is another key */

static SCREEN *terminal;

static void open_colors(void)
{
	static const short colors[] = {
		[SCREEN_RED] = COLOR_RED, [SCREEN_AMBER] = COLOR_YELLOW, [SCREEN_UNKNOWN] = COLOR_MAGENTA, [SCREEN_BAD] = COLOR_RED,
	};
	if (!has_colors())
		return;
	start_color();
	use_default_colors();
	for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++)
		init_pair((short)(i + 1), colors[i] ? colors[i] : -1, -1);
}

bool screen_open(void)
{
	set_escdelay(ESCAPE_MS);
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal)
		return false;
	/* ncurses draws on what can only go on to the next line, too, as if it could place the cursor. */
	if (!tigetstr("cup") || !tigetstr("clear")) {
		screen_close();
		return false;
	}
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	open_colors();
	return true;
}

void screen_close(void)
{
	endwin();
	delscreen(terminal);
	terminal = NULL;
}

void screen_size(size_t *ret_lines, size_t *ret_columns)
{
	*ret_lines = (size_t)(LINES > 0 ? LINES : 0);
	*ret_columns = (size_t)(COLS > 0 ? COLS : 0);
}

int screen_fd(void)
{
	return STDIN_FILENO;
}

int screen_read_key(void)
{
	static const struct {
		int curses, key;
	} keys[] = {
		{ KEY_UP, SESSION_UP }, { KEY_DOWN, SESSION_DOWN }, { KEY_PPAGE, SESSION_PAGE_UP }, { KEY_NPAGE, SESSION_PAGE_DOWN },
		{ KEY_HOME, SESSION_HOME }, { KEY_END, SESSION_END }, { KEY_BACKSPACE, SESSION_BACKSPACE }, { 0x7f, SESSION_BACKSPACE },
		{ '\b', SESSION_BACKSPACE }, { KEY_ENTER, SESSION_ENTER }, { '\r', SESSION_ENTER }, { '\n', SESSION_ENTER },
		{ 0x1b, SESSION_ESCAPE }, { KEY_RESIZE, SCREEN_RESIZED }, { ERR, SCREEN_NONE },
	};
	int read = getch();
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (keys[i].curses == read)
			return keys[i].key;
	}
	return read < 0x100 ? read : SCREEN_OTHER;
}

void screen_begin(void)
{
	erase();
}

void screen_put(size_t line, const char *text, enum screen_style style)
{
	static const attr_t attributes[] = {
		[SCREEN_RED] = A_BOLD, [SCREEN_OLD] = A_DIM, [SCREEN_HEADING] = A_REVERSE, [SCREEN_BAD] = A_REVERSE, [SCREEN_AMBER] = 0,
	};
	if (line >= (size_t)LINES)
		return;
	attr_t attribute = attributes[style] | (has_colors() ? (attr_t)COLOR_PAIR((int)style + 1) : 0);
	attrset((int)attribute);
	mvaddstr((int)line, 0, text);
	if (style == SCREEN_HEADING)
		mvchgat((int)line, 0, -1, A_REVERSE, (short)(style + 1), NULL);
	attrset(A_NORMAL);
}

void screen_show(void)
{
	refresh();
}
