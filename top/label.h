/*
 * Text of others, as a terminal may be given it: whoever names a process shall move no cursor, hide nothing and turn no
 * line around.
 *
 * Pure, but for LC_CTYPE: what is wide, and whether bytes over 0x7f are characters at all, is the locale's.
 */
#ifndef VIGIE_TOP_LABEL_H
#define VIGIE_TOP_LABEL_H

#include <stddef.h>

#include "common/text.h"

/* Appends `label`, cut to so many columns of a terminal, with a '~' as the last of them where it was cut. What is no
 * character, controls anything, has no width of its own without a character before it, or directs how text runs becomes
 * '?'. Returns the columns that it takes. */
size_t label_append(const char *label, size_t columns, struct text *text);

/* The columns that the whole of it takes. */
size_t label_width(const char *label);

#endif
