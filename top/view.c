#include "top/view.h"

#include <stdio.h>
#include <string.h>

#include "top/label.h"

/* Of a terminal. */
enum { CPU = 8, MEM = 6, PROBABILITY = 5, STATE = 11, HOST_MIN = 8, HOST_MAX = 24, GAP = 1, PROCESS_MIN = 15 };

static size_t host_columns(size_t columns)
{
	size_t part = columns / 4;
	return part < HOST_MIN ? HOST_MIN : part > HOST_MAX ? HOST_MAX : part;
}

static void pad(size_t columns, struct text *text)
{
	for (; columns; columns--)
		text_append_char(text, ' ');
}

/* To the left, or to the right where it is a number. */
static void append_cell(const char *cell, size_t columns, bool right, struct text *text)
{
	struct text cut = TEXT_EMPTY;
	size_t used = label_append(cell, columns, &cut);
	pad(right ? columns - used : 0, text);
	text_append_string(text, text_or(&cut, ""));
	pad(right ? 0 : columns - used, text);
	text->failed = text->failed || text_failed(&cut);
	text_free(&cut);
}

const char *view_state(const struct fleet_row *row)
{
	_Static_assert(RESOURCE_LIMITED == 2, "an alarm is of mem or of cpu");
	if (row->missing)
		return "MISSING";
	switch (row->color) {
	case COLOR_RED:
		return row->resource == RESOURCE_MEM ? "RED mem" : "RED cpu";
	case COLOR_ORANGE:
		return row->resource == RESOURCE_MEM ? "AMBER mem" : "AMBER cpu";
	case COLOR_UNKNOWN:
		return "UNKNOWN";
	default:
		return "";
	}
}

struct numbers {
	char cpu[32], mem[32], probability[32];
	char state[16];
	char host[WIRE_NAME_SIZE]; /* of a script: without spaces */
};

static void print_number(char target[static 32], bool known, int decimals, double number, const char *unknown)
{
	if (known)
		snprintf(target, 32, "%.*f", decimals, number);
	else
		snprintf(target, 32, "%s", unknown);
}

static struct numbers numbers_of(const struct fleet_row *row, const char *unknown, const char *state)
{
	struct numbers numbers;
	snprintf(numbers.state, sizeof(numbers.state), row->silenced ? "(%s)" : "%s", state);
	print_number(numbers.cpu, row->present[RESOURCE_CPU], 1, row->value[RESOURCE_CPU], unknown);
	print_number(numbers.mem, row->present[RESOURCE_MEM], 2, row->value[RESOURCE_MEM], unknown);
	print_number(numbers.probability, row->foreseen, 2, row->probability, unknown);
	return numbers;
}

/* What does not fit is left out from the right; the process has what is left, and at least PROCESS_MIN. */
static void append_line(size_t columns, const char *process, const char *const cells[4], const char *host, struct text *text)
{
	static const size_t widths[4] = { CPU, MEM, PROBABILITY, STATE };
	size_t host_width = host_columns(columns), rest = GAP + host_width, shown = 4;
	for (size_t i = 0; i < 4; i++)
		rest += GAP + widths[i];
	bool with_host = columns >= rest + PROCESS_MIN;
	if (!with_host)
		rest -= GAP + host_width;
	while (shown && columns < rest + PROCESS_MIN)
		rest -= GAP + widths[--shown];
	append_cell(process, columns - rest, false, text);
	for (size_t i = 0; i < shown; i++) {
		pad(GAP, text);
		append_cell(cells[i], widths[i], i < 3, text);
	}
	if (with_host) {
		pad(GAP, text);
		append_cell(host, host_width, false, text);
	}
}

void view_append_heading(size_t columns, enum fleet_order order, struct text *text)
{
	const char *const cells[4] = {
		order == FLEET_BY_CPU ? "*CPU%" : "CPU%", order == FLEET_BY_MEM ? "*MEM%" : "MEM%",
		order == FLEET_BY_PROBABILITY ? "*PROB" : "PROB", order == FLEET_BY_ALARM ? "*STATE" : "STATE",
	};
	append_line(columns, "PROCESS", cells, "HOST", text);
}

void view_append_row(size_t columns, const struct fleet_row *row, struct text *text)
{
	struct numbers numbers = numbers_of(row, "", view_state(row));
	const char *const cells[4] = { numbers.cpu, numbers.mem, numbers.probability, numbers.state };
	append_line(columns, row->process, cells, row->host, text);
}

enum { CELLS = 7 };

/* The cells of a row for scripts; without `row`, those of the heading. */
static void cells_of(const struct fleet_row *row, struct numbers *numbers, const char *ret_cells[static CELLS])
{
	static const char *const heading[CELLS] = { "HOST", "IP", "CPU%", "MEM%", "PROB", "STATE", "PROCESS" };
	static const char *const states[COLOR_COUNT][RESOURCE_LIMITED] = {
		[COLOR_GREEN] = { "-", "-" },
		[COLOR_ORANGE] = { [RESOURCE_MEM] = "AMBER:mem", [RESOURCE_CPU] = "AMBER:cpu" },
		[COLOR_RED] = { [RESOURCE_MEM] = "RED:mem", [RESOURCE_CPU] = "RED:cpu" },
		[COLOR_UNKNOWN] = { "UNKNOWN", "UNKNOWN" },
	};
	if (row) {
		*numbers = numbers_of(row, "-", row->missing ? "MISSING" : states[row->color][row->resource]);
		snprintf(numbers->host, sizeof(numbers->host), "%s", row->host);
		for (char *at = strchr(numbers->host, ' '); at; at = strchr(at, ' '))
			*at = '_';
	}
	const char *const cells[CELLS] = {
		numbers->host, row ? row->ip : "", numbers->cpu, numbers->mem, numbers->probability,
		numbers->state, row ? row->process : "",
	};
	for (int i = 0; i < CELLS; i++)
		ret_cells[i] = row ? cells[i] : heading[i];
}

void view_append_all(const struct fleet_row *const rows[], size_t count, struct text *text)
{
	size_t widths[CELLS] = { 0 };
	struct numbers numbers = { 0 };
	const char *cells[CELLS];
	for (size_t i = 0; i <= count; i++) {
		cells_of(i ? rows[i - 1] : NULL, &numbers, cells);
		for (int j = 0; j < CELLS; j++) {
			size_t width = label_width(cells[j]);
			widths[j] = width > widths[j] ? width : widths[j];
		}
	}
	for (size_t i = 0; i <= count; i++) {
		cells_of(i ? rows[i - 1] : NULL, &numbers, cells);
		for (int j = 0; j < CELLS - 1; j++) {
			append_cell(cells[j], widths[j], j >= 2 && j <= 4, text);
			pad(2, text);
		}
		(void)label_append(cells[CELLS - 1], widths[CELLS - 1], text);
		text_append_char(text, '\n');
	}
}
