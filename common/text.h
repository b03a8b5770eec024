/*
 * A growing byte buffer, for answers and request bodies built piece by piece.
 *
 * The caller owns the struct and frees its bytes with text_free(). Failure to
 * allocate is sticky: every later append does nothing, so a writer checks
 * text_failed() once, at its end. Not thread-safe; no I/O.
 */
#ifndef VIGIE_COMMON_TEXT_H
#define VIGIE_COMMON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *data;      /* length bytes, then a NUL; NULL while nothing was appended */
	size_t length;   /* bytes, the NUL not counted */
	size_t capacity; /* bytes allocated */
	bool failed;     /* an allocation failed: the content is cut short */
};

/* An empty text; allocates nothing. */
#define TEXT_EMPTY ((struct text){ 0 })

/* `bytes` may be NULL where there are none, as in a text that nothing was appended to. */
void text_append(struct text *text, const char *bytes, size_t length);
void text_append_string(struct text *text, const char *string);
void text_append_char(struct text *text, char byte);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Empties the text and clears the failure; keeps the memory for the next use. */
void text_reset(struct text *text);

/* Releases the memory; the text is empty and usable afterwards. */
void text_free(struct text *text);

static inline bool text_failed(const struct text *text)
{
	return text->failed;
}

/* The text's bytes; `otherwise` while there are none, as of a reason that there was no memory for. */
const char *text_or(const struct text *text, const char *otherwise);

#endif
