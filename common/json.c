#include "common/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void json_append_string(struct text *text, const char *string)
{
	text_append_char(text, '"');
	const char *start = string;
	const char *at = string;
	for (; *at; at++) {
		unsigned char byte = (unsigned char)*at;
		if (byte >= 0x20 && byte != '"' && byte != '\\')
			continue;
		text_append(text, start, (size_t)(at - start));
		if (byte < 0x20)
			text_printf(text, "\\u%04x", byte);
		else
			text_append(text, (char[]){ '\\', (char)byte }, 2);
		start = at + 1;
	}
	text_append(text, start, (size_t)(at - start));
	text_append_char(text, '"');
}

/* Writes thousandths / 1000 without trailing zeros. */
static void append_thousandths(struct text *text, int64_t thousandths)
{
	char digits[32];
	char *end = digits + sizeof(digits);
	char *at = end;
	uint64_t rest = thousandths < 0 ? 0 - (uint64_t)thousandths : (uint64_t)thousandths;

	unsigned fraction = (unsigned)(rest % 1000);
	rest /= 1000;
	if (fraction) {
		unsigned places = 3;
		for (; fraction % 10 == 0; places--)
			fraction /= 10;
		for (; places; places--, fraction /= 10)
			*--at = (char)('0' + fraction % 10);
		*--at = '.';
	}
	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (thousandths < 0)
		*--at = '-';
	text_append(text, at, (size_t)(end - at));
}

void json_append_number(struct text *text, double number)
{
	assert(isfinite(number));

	/* Nearly every value has at most three decimals: five times as fast as printf. */
	if (fabs(number) < 1e12) {
		int64_t thousandths = llrint(number * 1000);
		if ((double)thousandths / 1000 == number) {
			append_thousandths(text, thousandths);
			return;
		}
	}

	char digits[32];
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(digits, sizeof(digits), "%.*g", precision, number);
		if (strtod(digits, NULL) == number)
			break;
	}

	/* Both of them use the decimal sign of the locale, which a library may have set. */
	char *sign = digits + strspn(digits, "-0123456789");
	char *rest = sign + strcspn(sign, "0123456789e");
	text_append(text, digits, (size_t)(sign - digits));
	if (rest > sign)
		text_append_char(text, '.');
	text_append_string(text, rest);
}

void json_append_seconds(struct text *text, int64_t time_ms)
{
	append_thousandths(text, time_ms);
}
