#include "fcgi/media.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"

enum { EXACT = 3, OF_TYPE = 2, ANY = 1 }; /* how precisely a range names a form; 0: not at all */
enum { ACCEPT_SIZE = 1024 }; /* of a header; browsers send some 150 bytes */

static const struct {
	const char *type; /* Content-Type */
	const char *ranges[EXACT + 1]; /* of Accept, by their preciseness */
} forms[] = {
	[MEDIA_JSON] = { "application/json", { [EXACT] = "application/json", [OF_TYPE] = "application/*", [ANY] = "*/*" } },
	[MEDIA_CSV] = { "text/csv; header=present; charset=utf-8", { [EXACT] = "text/csv", [OF_TYPE] = "text/*", [ANY] = "*/*" } },
};

const char *media_type(enum media media)
{
	return forms[media].type;
}

/* How much a form is wanted. */
struct wish {
	int preciseness;
	double quality;
};

/* The parameter q of a range; 1 where there is none that can be read. Its other parameters count for nothing. */
static double read_quality(const char *parameters)
{
	double quality = 1;
	for (const char *at = strchr(parameters, ';'); at; at = strchr(at, ';')) {
		at++;
		at += strspn(at, " \t");
		if (strncasecmp(at, "q=", 2) == 0 && json_read_plain_number(at + 2, &quality))
			break;
	}
	return quality;
}

static void take_range(const char *range, struct wish wishes[])
{
	size_t name = strcspn(range, " \t;");
	for (int form = MEDIA_JSON; form <= MEDIA_CSV; form++) {
		for (int preciseness = EXACT; preciseness > wishes[form].preciseness; preciseness--) {
			const char *known = forms[form].ranges[preciseness];
			if (strlen(known) == name && strncasecmp(known, range, name) == 0)
				wishes[form] = (struct wish){ preciseness, read_quality(range + name) };
		}
	}
}

enum media media_choose(const char *accept)
{
	struct wish wishes[] = { [MEDIA_JSON] = { 0, 0 }, [MEDIA_CSV] = { 0, 0 } };
	char ranges[ACCEPT_SIZE];
	if (snprintf(ranges, sizeof(ranges), "%s", accept) >= (int)sizeof(ranges))
		return MEDIA_JSON;
	char *rest = ranges;
	for (char *range = strsep(&rest, ","); range; range = strsep(&rest, ","))
		take_range(range + strspn(range, " \t"), wishes);
	const struct wish *json = &wishes[MEDIA_JSON], *csv = &wishes[MEDIA_CSV];
	if (csv->quality != json->quality)
		return csv->quality > json->quality ? MEDIA_CSV : MEDIA_JSON;
	return csv->quality > 0 && csv->preciseness == EXACT && json->preciseness < EXACT ? MEDIA_CSV : MEDIA_JSON;
}
