#include "common/json.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <float.h>
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

/* Writes units / scale, which is 10^places, without trailing zeros. */
static inline void append_decimal(struct text *text, int64_t units, unsigned scale, unsigned places)
{
	char digits[32];
	char *end = digits + sizeof(digits);
	char *at = end;
	uint64_t rest = units < 0 ? 0 - (uint64_t)units : (uint64_t)units;

	unsigned fraction = (unsigned)(rest % scale);
	rest /= scale;
	if (fraction) {
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
	if (units < 0)
		*--at = '-';
	text_append(text, at, (size_t)(end - at));
}

void json_append_number(struct text *text, double number)
{
	assert(isfinite(number));

	/* Nearly every value has at most three decimals, every mean that we give six: five times as fast as printf, and
	 * what that would write. */
	if (fabs(number) < 1e12) {
		int64_t thousandths = llrint(number * 1e3), millionths = fabs(number) < 1e9 ? llrint(number * 1e6) : 0;
		if ((double)thousandths / 1e3 == number) {
			append_decimal(text, thousandths, 1000, 3);
			return;
		}
		if (llabs(millionths) >= 100 && (double)millionths / 1e6 == number) { /* below 0.0001 it takes an exponent */
			append_decimal(text, millionths, 1000000, 6);
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
	append_decimal(text, time_ms, 1000, 3);
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

const char *json_read_plain_number(const char *at, double *ret_number)
{
	enum { DIGITS_MAX = DBL_DIG }; /* any that many are a double */
	static const double powers[DIGITS_MAX] = {
		1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
	};
	int64_t digits = 0;
	size_t count = 0, whole = 0; /* digits, in all and before the point; 0: there is no point */
	for (; (is_digit(*at) && count < DIGITS_MAX) || (*at == '.' && count && !whole); at++) {
		if (*at == '.') {
			whole = count;
		} else {
			digits = digits * 10 + (*at - '0');
			count++;
		}
	}
	if (count == whole || is_digit(*at) || *at == '.' || *at == 'e' || *at == 'E' || *at == '+' || *at == '-')
		return NULL;
	/* Both are exact: the quotient is rounded once, as strtod(3) rounds. */
	*ret_number = (double)digits / powers[whole ? count - whole : 0];
	return at;
}

int json_parse(const char *bytes, size_t length, struct cJSON **ret_document)
{
	errno = 0; /* malloc() sets it */
	cJSON *document = cJSON_ParseWithLength(bytes, length);
	if (!document)
		return errno == ENOMEM ? -ENOMEM : -EBADMSG;
	*ret_document = document;
	return 0;
}
