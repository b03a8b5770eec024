#include "top/session.h"

#include <string.h>

const char *const session_help[] = {
	"c  m  p  a    order by CPU, memory, probability of going over a limit, alarm",
	"/             only processes with this in their name",
	"h             only hosts with this in their name or address",
	"Esc           all of them again",
	"arrows, j k, Page Up, Page Down, Home g, End G",
	"?             this; any key ends it",
	"q             the end",
	"",
	"CPU is in percent of one core, memory of the machine's. PROB is the probability",
	"of going over the limit within the horizon. A state in parentheses is that of",
	"an alarm that is silenced. What is grey is old: the server is away.",
	NULL,
};

struct fleet_choice session_choice(const struct session *session)
{
	return (struct fleet_choice){ .order = session->order, .process = session->process, .host = session->host };
}

void session_bound(struct session *session, size_t rows, size_t page)
{
	size_t last = rows > page ? rows - page : 0;
	if (session->first > last)
		session->first = last;
}

/* Takes the last character away, all of its bytes. */
static void shorten(char *typed)
{
	size_t length = strlen(typed);
	while (length && ((unsigned char)typed[--length] & 0xc0) == 0x80)
		;
	typed[length] = '\0';
}

static void type(struct session *session, char *typed, int key)
{
	size_t length = strlen(typed);
	session->first = 0;
	if (key == SESSION_ENTER || key == SESSION_ESCAPE)
		session->mode = SESSION_LISTS;
	if (key == SESSION_ESCAPE)
		typed[0] = '\0';
	else if (key == SESSION_BACKSPACE)
		shorten(typed);
	else if (key >= 0x20 && key < 0x100 && key != 0x7f && length + 1 < SESSION_TYPED_SIZE)
		typed[length] = (char)key; /* behind it are zeros */
}

static void begin(struct session *session, enum session_mode mode, char *typed)
{
	memset(typed, 0, SESSION_TYPED_SIZE);
	session->mode = mode;
	session->first = 0;
}

static void order(struct session *session, enum fleet_order by)
{
	session->order = by;
	session->first = 0;
}

static void command(struct session *session, int key, size_t rows, size_t page)
{
	switch (key) {
	case 'c':
		order(session, FLEET_BY_CPU);
		break;
	case 'm':
		order(session, FLEET_BY_MEM);
		break;
	case 'p':
		order(session, FLEET_BY_PROBABILITY);
		break;
	case 'a':
		order(session, FLEET_BY_ALARM);
		break;
	case '/':
		begin(session, SESSION_TYPES_PROCESS, session->process);
		break;
	case 'h':
		begin(session, SESSION_TYPES_HOST, session->host);
		break;
	case SESSION_ESCAPE:
		begin(session, SESSION_LISTS, session->process);
		begin(session, SESSION_LISTS, session->host);
		break;
	case '?':
		session->mode = SESSION_HELPS;
		break;
	case 'q':
		session->ended = true;
		break;
	case SESSION_UP:
	case 'k':
		session->first -= session->first > 0;
		break;
	case SESSION_DOWN:
	case 'j':
		session->first++;
		break;
	case SESSION_PAGE_UP:
		session->first -= session->first < page ? session->first : page;
		break;
	case SESSION_PAGE_DOWN:
	case ' ':
		session->first += page;
		break;
	case SESSION_HOME:
	case 'g':
		session->first = 0;
		break;
	case SESSION_END:
	case 'G':
		session->first = rows;
		break;
	default:
		break;
	}
	session_bound(session, rows, page);
}

void session_press(struct session *session, int key, size_t rows, size_t page)
{
	switch (session->mode) {
	case SESSION_TYPES_PROCESS:
		type(session, session->process, key);
		break;
	case SESSION_TYPES_HOST:
		type(session, session->host, key);
		break;
	case SESSION_HELPS:
		session->mode = SESSION_LISTS;
		break;
	case SESSION_LISTS:
		command(session, key, rows, page);
		break;
	}
}
