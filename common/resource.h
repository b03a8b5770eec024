/*
 * The resources that are measured of a process: one row each, from which follow the words on the wire, the names in the
 * stores and in metrics, what bodies may hold and queries may ask for, and how values are summed.
 *
 * Rows are only added, at the end: a row's place is its number in the spool and in the body of save-all, and two rows
 * that stand together, the first of them in an even place, are the two halves of a metric of the stores (fcgi/sample.h).
 *
 * RESOURCES_LIMITED are percentages, with limits, alarms and forecasts: what is sent unasked. RESOURCES_FURTHER have none
 * of these; they are sent where they are measured, stored, and given to those who ask. Their values are whole numbers.
 */
#ifndef VIGIE_COMMON_RESOURCE_H
#define VIGIE_COMMON_RESOURCE_H

#include <stdbool.h>

/*
 * row(MEMBER, name, measurement, exposed, help, counter):
 *   name         on the wire: `type_data`, `resource`, a member of answers
 *   measurement  of its samples in the stores
 *   exposed      in metrics/processes, behind vigie_process_
 *   help         what that says there of itself
 *   counter      what is read of a process only grows, and its value is the growth in a second; of others it is what was
 *                read. Both are added up over the PIDs of a name. Of RESOURCES_FURTHER alone.
 */
#define RESOURCES_LIMITED(row) \
	row(MEM, "mem", "mem_usage_percent", "memory_percent", \
	    "Memory that each process of a host uses, in percent of the machine's.", false) \
	row(CPU, "cpu", "cpu_usage_percent", "cpu_percent", \
	    "CPU that each process of a host uses, in percent of one core; all PIDs of a name together.", false)

#define RESOURCES_FURTHER(row) \
	row(READ, "read_bytes_per_second", "read_bytes_per_second", "read_bytes_per_second", \
	    "Bytes that each process of a host has had fetched from storage, a second.", true) \
	row(WRITE, "write_bytes_per_second", "write_bytes_per_second", "write_bytes_per_second", \
	    "Bytes that each process of a host has caused to be written to storage, a second.", true)

#define RESOURCES(row) RESOURCES_LIMITED(row) RESOURCES_FURTHER(row)

#define RESOURCE_AS_MEMBER(member, ...) RESOURCE_##member,
#define RESOURCE_AS_ONE(...) + 1
#define RESOURCE_AS_WORD(member, name, ...) " or " name

enum resource {
	RESOURCES(RESOURCE_AS_MEMBER)
	RESOURCE_COUNT,
	RESOURCE_LIMITED = 0 RESOURCES_LIMITED(RESOURCE_AS_ONE), /* the first so many */
};

enum { RESOURCE_FURTHER = (int)RESOURCE_COUNT - (int)RESOURCE_LIMITED };

/* "mem or cpu or …", constants: of all, and of those with limits. */
#define RESOURCE_NAMES (&(RESOURCES(RESOURCE_AS_WORD))[sizeof(" or ") - 1])
#define RESOURCE_LIMITED_NAMES (&(RESOURCES_LIMITED(RESOURCE_AS_WORD))[sizeof(" or ") - 1])

struct resource_row {
	const char *name, *measurement, *exposed, *help;
	bool counter;
};

extern const struct resource_row resource_rows[RESOURCE_COUNT];

#endif
