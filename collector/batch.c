#include "collector/batch.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/wire.h"

struct packed_values {
	int32_t thousandths[RESOURCE_LIMITED];
};

/* A value is never that small: nothing but kills is taken for them. */
enum { KILLS_MARK = INT32_MIN };

struct packed_kills {
	int32_t mark;
	int32_t count;
};

struct batch *batch_pack(const struct stamp *stamp, const struct rate *values, size_t count, const struct oom_list *killed)
{
	static const struct oom_list nobody;
	const struct oom_list *kills = killed ? killed : &nobody;
	size_t size = 0;
	for (size_t i = 0; i < count; i++)
		size += sizeof(struct packed_values) + strlen(values[i].name) + 1;
	for (size_t i = 0; i < kills->count; i++)
		size += sizeof(struct packed_kills) + strlen(kills->items[i].name) + 1;
	struct batch *batch = malloc(sizeof(*batch) + size);
	if (!batch)
		return NULL;
	*batch = (struct batch){ .stamp = *stamp, .count = count, .size = size };

	char *at = batch->packed;
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(values[i].name) + 1;
		memcpy(at, values[i].thousandths, sizeof(struct packed_values));
		memcpy(at + sizeof(struct packed_values), values[i].name, length);
		at += sizeof(struct packed_values) + length;
	}
	for (size_t i = 0; i < kills->count; i++) {
		const struct packed_kills packed = { KILLS_MARK, kills->items[i].count };
		size_t length = strlen(kills->items[i].name) + 1;
		memcpy(at, &packed, sizeof(packed));
		memcpy(at + sizeof(packed), kills->items[i].name, length);
		at += sizeof(packed) + length;
	}
	return batch;
}

/* Reads one name's values and returns the next one's place. */
static const char *unpack(const char *at, struct packed_values *ret_values, const char **ret_name)
{
	memcpy(ret_values, at, sizeof(*ret_values));
	*ret_name = at + sizeof(*ret_values);
	return *ret_name + strlen(*ret_name) + 1;
}

static const char *skip(const struct batch *batch, size_t count)
{
	struct packed_values values;
	const char *name;
	const char *at = batch->packed;
	for (size_t i = 0; i < count; i++)
		at = unpack(at, &values, &name);
	return at;
}

/* Passes over a name that `size` bytes stand before. NULL: it is not whole. */
static const char *pass(const char *at, const char *end, size_t size)
{
	if ((size_t)(end - at) <= size)
		return NULL;
	const char *nul = memchr(at + size, '\0', (size_t)(end - at) - size);
	return nul ? nul + 1 : NULL;
}

bool batch_is_sound(const struct batch *batch)
{
	const char *at = batch->packed, *end = batch->packed + batch->size;
	for (size_t i = 0; i < batch->count && at; i++)
		at = pass(at, end, sizeof(struct packed_values));
	while (at && at < end) {
		struct packed_kills kills;
		const char *next = pass(at, end, sizeof(kills));
		if (next)
			memcpy(&kills, at, sizeof(kills));
		at = next && kills.mark == KILLS_MARK && kills.count > 0 ? next : NULL;
	}
	return at != NULL;
}

void batch_forget_done(struct batch *batch)
{
	size_t done_size = (size_t)(skip(batch, batch->done) - batch->packed);
	batch->size -= done_size;
	memmove(batch->packed, batch->packed + done_size, batch->size);
	batch->count -= batch->done;
	batch->done = 0;
}

size_t batch_samples(const struct batch *batch, size_t first, size_t count)
{
	struct packed_values values;
	const char *name;
	const char *at = skip(batch, first);
	size_t samples = 0;
	for (size_t i = 0; i < count; i++) {
		at = unpack(at, &values, &name);
		for (int resource = 0; resource < RESOURCE_LIMITED; resource++)
			samples += values.thousandths[resource] != RATE_MISSING;
	}
	return samples;
}

static void append_data(const struct batch *batch, const char *at, size_t count, struct text *text)
{
	struct text start = TEXT_EMPTY; /* what all items start with */
	text_append_string(&start, "{\"timestamp\":");
	json_append_seconds(&start, batch->stamp.time_ms);
	text_append_string(&start, ",\"value\":");

	struct packed_values values;
	const char *name;
	const char *comma = "";
	text_append_string(text, "\"data\":[");
	for (size_t i = 0; i < count; i++) {
		at = unpack(at, &values, &name);
		for (int resource = 0; resource < RESOURCE_LIMITED; resource++) {
			if (values.thousandths[resource] == RATE_MISSING)
				continue;
			text_append_string(text, comma);
			text_append(text, start.data ? start.data : "", start.length);
			json_append_number(text, values.thousandths[resource] / 1000.0);
			text_append_string(text, ",\"process_name\":");
			json_append_string(text, name);
			text_append_string(text, ",\"type_data\":\"");
			text_append_string(text, wire_resource_name((enum resource)resource));
			text_append_string(text, "\"}");
			comma = ",";
		}
	}
	text_append_char(text, ']');
	if (text_failed(&start))
		text->failed = true;
	text_free(&start);
}

static void append_processes(const struct batch *batch, const char *at, size_t count, struct text *text)
{
	struct packed_values values;
	const char *name;
	const char *comma = "";
	text_append_string(text, "\"timestamp\":");
	json_append_seconds(text, batch->stamp.time_ms);
	text_append_string(text, ",\"processes\":{");
	for (size_t i = 0; i < count; i++) {
		at = unpack(at, &values, &name);
		if (values.thousandths[RESOURCE_MEM] == RATE_MISSING && values.thousandths[RESOURCE_CPU] == RATE_MISSING)
			continue;
		text_append_string(text, comma);
		json_append_string(text, name);
		for (int resource = 0; resource < RESOURCE_LIMITED; resource++) {
			text_append_string(text, resource ? "," : ":[");
			if (values.thousandths[resource] == RATE_MISSING)
				text_append_string(text, "null");
			else
				json_append_number(text, values.thousandths[resource] / 1000.0);
		}
		text_append_char(text, ']');
		comma = ",";
	}
	text_append_char(text, '}');
}

void batch_append_json(const struct batch *batch, size_t first, size_t count, bool by_process, struct text *text)
{
	const char *at = skip(batch, first);
	if (by_process)
		append_processes(batch, at, count, text);
	else
		append_data(batch, at, count, text);
}

void batch_append_kills(const struct batch *batch, struct text *text)
{
	const char *at = skip(batch, batch->count), *end = batch->packed + batch->size;
	if (at == end)
		return;
	text_append_string(text, ",\"oom_kills\":{\"timestamp\":");
	json_append_seconds(text, batch->stamp.time_ms);
	text_append_string(text, ",\"processes\":{");
	for (const char *comma = ""; at < end; comma = ",") {
		struct packed_kills kills;
		memcpy(&kills, at, sizeof(kills));
		at += sizeof(kills);
		text_append_string(text, comma);
		json_append_string(text, at);
		text_printf(text, ":%d", (int)kills.count);
		at += strlen(at) + 1;
	}
	text_append_string(text, "}}");
}
