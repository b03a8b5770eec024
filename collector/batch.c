#include "collector/batch.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/wire.h"

/* What a batch has of the further ones; those that it has not are missing. */
struct packed_values {
	int32_t thousandths[RESOURCE_LIMITED];
	float further[RESOURCE_FURTHER];
};

/* A value is never that small: nothing but kills is taken for them. */
enum { KILLS_MARK = INT32_MIN };

struct packed_kills {
	int32_t mark;
	int32_t count;
};

/* Bytes of the values that stand before a name. */
static size_t packed_size(size_t further)
{
	return offsetof(struct packed_values, further) + further * sizeof(float);
}

static struct packed_values pack(const struct rate *value)
{
	struct packed_values packed;
	memcpy(packed.thousandths, value->thousandths, sizeof(packed.thousandths));
	for (int i = 0; i < RESOURCE_FURTHER; i++)
		packed.further[i] = value->has_further ? value->further[i] : (float)RATE_MISSING;
	return packed;
}

struct batch *batch_pack(const struct stamp *stamp, const struct rate *values, size_t count, const struct oom_list *killed)
{
	static const struct oom_list nobody;
	const struct oom_list *kills = killed ? killed : &nobody;
	size_t size = 0, further = 0;
	for (size_t i = 0; i < count; i++)
		further = values[i].has_further ? RESOURCE_FURTHER : further;
	size_t values_size = packed_size(further);
	for (size_t i = 0; i < count; i++)
		size += values_size + strlen(values[i].name) + 1;
	for (size_t i = 0; i < kills->count; i++)
		size += sizeof(struct packed_kills) + strlen(kills->items[i].name) + 1;
	struct batch *batch = malloc(sizeof(*batch) + size);
	if (!batch)
		return NULL;
	*batch = (struct batch){ .stamp = *stamp, .count = count, .further = further, .size = size };

	char *at = batch->packed;
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(values[i].name) + 1;
		const struct packed_values packed = pack(&values[i]);
		memcpy(at, &packed, values_size);
		memcpy(at + values_size, values[i].name, length);
		at += values_size + length;
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

/* Reads one name's values and returns the next one's place. A later version may have left more of them than are known. */
static const char *unpack(const struct batch *batch, const char *at, struct packed_values *ret_values, const char **ret_name)
{
	size_t known = batch->further < RESOURCE_FURTHER ? batch->further : RESOURCE_FURTHER;
	memcpy(ret_values, at, packed_size(known));
	for (size_t i = known; i < RESOURCE_FURTHER; i++)
		ret_values->further[i] = (float)RATE_MISSING;
	*ret_name = at + packed_size(batch->further);
	return *ret_name + strlen(*ret_name) + 1;
}

static const char *skip(const struct batch *batch, size_t count)
{
	struct packed_values values;
	const char *name;
	const char *at = batch->packed;
	for (size_t i = 0; i < count; i++)
		at = unpack(batch, at, &values, &name);
	return at;
}

/* Whether a value is there, and which; `resource` is any. What a disk has kept may be no number. */
static bool find_value(const struct packed_values *values, size_t resource, double *ret_value)
{
	if (resource < RESOURCE_LIMITED) {
		*ret_value = values->thousandths[resource] / 1000.0;
		return values->thousandths[resource] != RATE_MISSING;
	}
	*ret_value = (double)values->further[resource - RESOURCE_LIMITED];
	return *ret_value >= 0 && *ret_value <= WIRE_VALUE_MAX;
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
		at = pass(at, end, packed_size(batch->further));
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
	double value;
	for (size_t i = 0; i < count; i++) {
		at = unpack(batch, at, &values, &name);
		for (size_t resource = 0; resource < RESOURCE_COUNT; resource++)
			samples += find_value(&values, resource, &value);
	}
	return samples;
}

static size_t append_data(const struct batch *batch, const char *at, size_t count, size_t resources, struct text *text)
{
	struct text start = TEXT_EMPTY; /* what all items start with */
	text_append_string(&start, "{\"timestamp\":");
	json_append_seconds(&start, batch->stamp.time_ms);
	text_append_string(&start, ",\"value\":");

	struct packed_values values;
	const char *name;
	size_t samples = 0;
	double value;
	text_append_string(text, "\"data\":[");
	for (size_t i = 0; i < count; i++) {
		at = unpack(batch, at, &values, &name);
		for (size_t resource = 0; resource < resources; resource++) {
			if (!find_value(&values, resource, &value))
				continue;
			text_append_string(text, samples ? "," : "");
			text_append(text, start.data, start.length);
			json_append_number(text, value);
			text_append_string(text, ",\"process_name\":");
			json_append_string(text, name);
			text_append_string(text, ",\"type_data\":\"");
			text_append_string(text, wire_resource_name((enum resource)resource));
			text_append_string(text, "\"}");
			samples++;
		}
	}
	text_append_char(text, ']');
	if (text_failed(&start))
		text->failed = true;
	text_free(&start);
	return samples;
}

/* How many of the values are to be written: those with limits, and up to the last further one that is there; 0: there is
 * none at all. */
static size_t count_places(const struct packed_values *values, size_t resources)
{
	double value;
	while (resources > 0 && !find_value(values, resources - 1, &value))
		resources--;
	return resources > 0 && resources < RESOURCE_LIMITED ? RESOURCE_LIMITED : resources;
}

static size_t append_processes(const struct batch *batch, const char *at, size_t count, size_t resources, struct text *text)
{
	struct packed_values values;
	const char *name;
	const char *comma = "";
	size_t samples = 0;
	double value;
	text_append_string(text, "\"timestamp\":");
	json_append_seconds(text, batch->stamp.time_ms);
	text_append_string(text, ",\"processes\":{");
	for (size_t i = 0; i < count; i++) {
		at = unpack(batch, at, &values, &name);
		size_t places = count_places(&values, resources);
		if (places == 0)
			continue;
		text_append_string(text, comma);
		json_append_string(text, name);
		for (size_t resource = 0; resource < places; resource++) {
			bool known = find_value(&values, resource, &value);
			text_append_string(text, resource ? "," : ":[");
			if (known)
				json_append_number(text, value);
			else
				text_append_string(text, "null");
			samples += known;
		}
		text_append_char(text, ']');
		comma = ",";
	}
	text_append_char(text, '}');
	return samples;
}

size_t batch_append_json(const struct batch *batch, size_t first, size_t count, struct batch_form form, struct text *text)
{
	const char *at = skip(batch, first);
	size_t further = form.further < RESOURCE_FURTHER ? form.further : RESOURCE_FURTHER;
	return form.by_process ? append_processes(batch, at, count, RESOURCE_LIMITED + further, text) :
	                         append_data(batch, at, count, RESOURCE_LIMITED + further, text);
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
