#include "fcgi/remote/pieces.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

#include "common/json.h"

/* Writes -1 in the place of what is no JSON number, outside strings. */
static void replace_non_finite(struct text *text)
{
	static const char *const words[] = { "+Inf", "-Inf", "NaN" };
	bool in_string = false;
	for (char *at = text->data; *at; at++) {
		if (*at == '\\' && in_string && at[1])
			at++;
		else if (*at == '"')
			in_string = !in_string;
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && !in_string; i++) {
			if (strncmp(at, words[i], strlen(words[i])) == 0)
				memcpy(at, "-1  ", strlen(words[i]));
		}
	}
}

/* Parses what is in `text` and hands it on. */
static int finish(struct text *text, bool non_finite, pieces_take *take, void *user)
{
	cJSON *object = NULL;
	if (text_failed(text))
		return -ENOMEM;
	int result = json_parse(text->data, text->length, &object);
	if (result == -EBADMSG && non_finite) {
		replace_non_finite(text);
		result = json_parse(text->data, text->length, &object);
	}
	if (result == 0 && take)
		result = take(user, object);
	cJSON_Delete(object);
	text_reset(text);
	return result;
}

/* Whether a byte may stand between documents, or begin one. */
static bool may_be_outside(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n' || byte == '{' || byte == '[';
}

/* Moves the scanner over one byte that is not inside a string's plain run. Returns the
 * level that the byte belongs to. */
static unsigned step(struct pieces *pieces, char byte)
{
	if (pieces->in_string) {
		if (pieces->escaped)
			pieces->escaped = false;
		else if (byte == '\\')
			pieces->escaped = true;
		else if (byte == '"')
			pieces->in_string = false;
		return pieces->level;
	}
	switch (byte) {
	case '"':
		pieces->in_string = true;
		return pieces->level;
	case '{':
	case '[':
		return ++pieces->level;
	case '}':
	case ']':
		return pieces->level--;
	default:
		return pieces->level;
	}
}

int pieces_feed(void *user, const char *bytes, size_t length)
{
	struct pieces *pieces = user;
	size_t start = 0; /* of the bytes that are not in a text yet */
	for (size_t i = 0; i < length; i++) {
		unsigned before = pieces->level;
		if (before == 0 && !may_be_outside(bytes[i]))
			return -EBADMSG;
		unsigned level = step(pieces, bytes[i]);
		bool opens = pieces->level > before && level == pieces->depth;
		bool closes = pieces->level < before && level == pieces->depth;
		bool ends = pieces->level < before && pieces->level == 0;
		if (!opens && !closes && !ends)
			continue;

		size_t end = opens ? i : i + 1;
		text_append(closes ? &pieces->piece : &pieces->frame, bytes + start, end - start);
		start = end;
		int result = 0;
		if (closes) {
			result = finish(&pieces->piece, pieces->non_finite, pieces->take_piece, pieces->user);
			if (!ends)
				text_append_string(&pieces->frame, "null");
		}
		if (ends && closes)
			text_reset(&pieces->frame); /* the piece is the document */
		else if (ends)
			result = finish(&pieces->frame, false, pieces->take_frame, pieces->user);
		if (result)
			return result;
	}
	text_append(pieces->level >= pieces->depth ? &pieces->piece : &pieces->frame, bytes + start, length - start);
	return text_failed(&pieces->piece) || text_failed(&pieces->frame) ? -ENOMEM : 0;
}

int pieces_end(const void *user)
{
	const struct pieces *pieces = user;
	return pieces->level == 0 ? 0 : -EBADMSG;
}

void pieces_free(struct pieces *pieces)
{
	text_free(&pieces->piece);
	text_free(&pieces->frame);
}
