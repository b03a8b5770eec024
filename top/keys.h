/*
 * The keys that are no bytes of characters, as top/screen.h reads them and top/session.h takes them.
 *
 * Apart from both, since ncurses calls its colours as common/wire.h calls its own.
 */
#ifndef VIGIE_TOP_KEYS_H
#define VIGIE_TOP_KEYS_H

enum session_key {
	SESSION_UP = 0x100, SESSION_DOWN, SESSION_PAGE_UP, SESSION_PAGE_DOWN, SESSION_HOME, SESSION_END, SESSION_BACKSPACE,
	SESSION_ENTER, SESSION_ESCAPE,
};

#endif
