#include "top/interactive.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "top/label.h"
#include "top/screen.h"
#include "top/view.h"

enum {
	CLOCK_MS = 1000, /* the clock goes on, and a change of size that came between two looks is seen */
	LINES_ABOVE = 2, /* the summary, the heading; and those of the status */
	STATUS_LINES = 4, /* at most: why a server is away is behind its URL */
};

struct picture {
	const char *server;
	struct session *session;
	struct fleet *fleet; /* the newest; NULL: there was none yet */
	int64_t fleet_ms;    /* when it came */
	struct text error;   /* why there is no newer one; empty: it is the newest */
	const struct fleet_row *const *rows; /* of the fleet, as they are chosen */
	size_t count;
	size_t lines, columns; /* of the terminal */
	size_t above;          /* of these, what is above the rows */
};

static size_t page_of(const struct picture *picture)
{
	return picture->lines > picture->above + 1 ? picture->lines - picture->above - 1 : 1;
}

static void list(struct picture *picture)
{
	struct fleet_choice choice = session_choice(picture->session);
	if (!picture->fleet || fleet_list(picture->fleet, &choice, &picture->rows, &picture->count) != 0)
		picture->count = 0;
}

static void append_time(int64_t time_ms, struct text *text)
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm local;
	char time[16] = "";
	if (localtime_r(&seconds, &local))
		strftime(time, sizeof(time), "%H:%M:%S", &local);
	text_append_string(text, time);
}

/* Draws what takes no more than so many lines, of which each goes on on the next. */
static void put_lines(const struct picture *picture, size_t line, size_t lines, const struct text *text,
                      enum screen_style style)
{
	struct text cut = TEXT_EMPTY;
	(void)label_append(text_or(text, ""), lines * picture->columns, &cut);
	screen_put(line, text_or(&cut, ""), style);
	text_free(&cut);
}

static void put(const struct picture *picture, size_t line, const struct text *text, enum screen_style style)
{
	put_lines(picture, line, 1, text, style);
}

static void draw_summary(const struct picture *picture, struct text *text)
{
	text_reset(text);
	append_time(clock_wall_ms(), text);
	if (picture->fleet) {
		struct fleet_counts counts = fleet_count(picture->fleet);
		text_printf(text, "  %zu hosts, %zu processes: %zu RED, %zu AMBER, %zu UNKNOWN", counts.hosts, counts.processes,
		            counts.colors[COLOR_RED], counts.colors[COLOR_ORANGE], counts.colors[COLOR_UNKNOWN]);
		if (counts.silenced)
			text_printf(text, ", %zu of them silenced", counts.silenced);
	}
	text_printf(text, "  %s", picture->server);
	put(picture, 0, text, SCREEN_PLAIN);
}

static void draw_status(struct picture *picture, struct text *text)
{
	const struct session *session = picture->session;
	enum screen_style style = SCREEN_PLAIN;
	text_reset(text);
	if (session->mode == SESSION_TYPES_PROCESS || session->mode == SESSION_TYPES_HOST) {
		bool host = session->mode == SESSION_TYPES_HOST;
		text_printf(text, "%s: %s_", host ? "host" : "process", host ? session->host : session->process);
	} else if (picture->error.length) {
		style = SCREEN_BAD;
		text_append_string(text, "the server is away");
		if (picture->fleet) {
			text_append_string(text, "; this is of ");
			append_time(picture->fleet_ms, text);
		}
		text_printf(text, ": %s", picture->error.data);
	} else if (!picture->fleet) {
		text_append_string(text, "waiting for the server");
	} else if (session->process[0] || session->host[0]) {
		text_printf(text, "%zu shown: process \"%s\", host \"%s\"; Esc shows all", picture->count, session->process, session->host);
	}
	size_t lines = 1;
	while (lines < STATUS_LINES && text->data && label_width(text->data) > lines * picture->columns)
		lines++;
	put_lines(picture, 1, lines, text, style);
	picture->above = LINES_ABOVE + lines;
}

static enum screen_style style_of(const struct picture *picture, const struct fleet_row *row)
{
	static const enum screen_style styles[COLOR_COUNT] = {
		[COLOR_RED] = SCREEN_RED, [COLOR_ORANGE] = SCREEN_AMBER, [COLOR_UNKNOWN] = SCREEN_UNKNOWN,
	};
	return picture->error.length ? SCREEN_OLD : row->silenced ? SCREEN_PLAIN : styles[row->color];
}

static void draw_rows(const struct picture *picture, struct text *text)
{
	size_t page = page_of(picture);
	session_bound(picture->session, picture->count, page);
	size_t first = picture->session->first;
	text_reset(text);
	view_append_heading(picture->columns, picture->session->order, text);
	put(picture, picture->above - 1, text, SCREEN_HEADING);
	for (size_t i = 0; i < page && first + i < picture->count; i++) {
		text_reset(text);
		view_append_row(picture->columns, picture->rows[first + i], text);
		put(picture, picture->above + i, text, style_of(picture, picture->rows[first + i]));
	}
}

static void draw_help(const struct picture *picture, struct text *text)
{
	for (size_t i = 0; session_help[i]; i++) {
		text_reset(text);
		text_append_string(text, session_help[i]);
		put(picture, picture->above + i, text, SCREEN_PLAIN);
	}
}

static void draw(struct picture *picture)
{
	struct text text = TEXT_EMPTY;
	screen_size(&picture->lines, &picture->columns);
	list(picture);
	screen_begin();
	draw_summary(picture, &text);
	draw_status(picture, &text);
	if (picture->session->mode == SESSION_HELPS)
		draw_help(picture, &text);
	else
		draw_rows(picture, &text);
	text_reset(&text);
	text_append_string(&text, "c CPU  m memory  p probability  a alarm  / process  h host  ? help  q quit");
	if (picture->lines > picture->above + 1)
		put(picture, picture->lines - 1, &text, SCREEN_PLAIN);
	screen_show();
	text_free(&text);
}

static void take_news(struct picture *picture, struct feed *feed)
{
	struct fleet *fleet = feed_take(feed, &picture->error);
	if (!fleet)
		return;
	fleet_close(picture->fleet);
	picture->fleet = fleet;
	picture->fleet_ms = clock_wall_ms();
}

static void take_keys(struct picture *picture)
{
	for (int key = screen_read_key(); key != SCREEN_NONE; key = screen_read_key()) {
		if (key < SCREEN_RESIZED)
			session_press(picture->session, key, picture->count, page_of(picture));
	}
}

bool interactive_run(struct feed *feed, const char *server, struct session *session)
{
	struct picture picture = { .server = server, .session = session };
	if (!screen_open())
		return false;
	while (!session->ended) {
		draw(&picture);
		struct pollfd fds[] = { { .fd = screen_fd(), .events = POLLIN }, { .fd = feed_fd(feed), .events = POLLIN } };
		(void)poll(fds, 2, CLOCK_MS); /* a signal ends it, too: the terminal has another size */
		if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
			break; /* the terminal is gone */
		take_keys(&picture);
		if (fds[1].revents)
			take_news(&picture, feed);
	}
	screen_close();
	fleet_close(picture.fleet);
	text_free(&picture.error);
	return true;
}
