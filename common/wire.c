#include "common/wire.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <string.h>

static const char *const color_names[COLOR_COUNT] = {
	[COLOR_GREEN] = "green",
	[COLOR_ORANGE] = "orange",
	[COLOR_RED] = "red",
	[COLOR_UNKNOWN] = "unknown",
};

static const char *const service_names[WIRE_SERVICES] = {
	[WIRE_COLLECTOR] = "collector",
	[WIRE_ALERT] = "alert",
	[WIRE_FORECAST] = "forecast",
};

const char *wire_resource_name(enum resource resource)
{
	return resource_rows[resource].name;
}

/* Among the first `count`. */
static bool parse_resource(const char *name, int count, enum resource *ret_resource)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(name, resource_rows[i].name) == 0) {
			*ret_resource = (enum resource)i;
			return true;
		}
	}
	return false;
}

bool wire_resource_parse(const char *name, enum resource *ret_resource)
{
	return parse_resource(name, RESOURCE_COUNT, ret_resource);
}

bool wire_limited_parse(const char *name, enum resource *ret_resource)
{
	return parse_resource(name, RESOURCE_LIMITED, ret_resource);
}

const char *wire_color_name(enum color color)
{
	return color_names[color];
}

int wire_color_severity(enum color color)
{
	static const int order[COLOR_COUNT] = {
		[COLOR_GREEN] = 0, [COLOR_UNKNOWN] = 1, [COLOR_ORANGE] = 2, [COLOR_RED] = 3,
	};
	return order[color];
}

bool wire_color_parse(const char *name, enum color *ret_color)
{
	for (int i = 0; i < COLOR_COUNT; i++) {
		if (strcmp(name, color_names[i]) == 0) {
			*ret_color = (enum color)i;
			return true;
		}
	}
	return false;
}

const char *wire_service_name(enum wire_service service)
{
	return service_names[service];
}

enum wire_service wire_service_parse(const char *name)
{
	for (int i = WIRE_NOBODY + 1; i < WIRE_SERVICES; i++) {
		if (strcmp(name, service_names[i]) == 0)
			return (enum wire_service)i;
	}
	return WIRE_NOBODY;
}

/* The length of the valid character at the start of `bytes`, 0 when there is none. */
static size_t utf8_character(const unsigned char *bytes, size_t length)
{
	unsigned char lead = bytes[0];
	if (lead < 0x80)
		return 1;

	size_t size;
	unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte: RFC 3629, section 4 */
	if (lead >= 0xc2 && lead <= 0xdf) {
		size = 2;
	} else if (lead >= 0xe0 && lead <= 0xef) {
		size = 3;
		if (lead == 0xe0)
			low = 0xa0;
		else if (lead == 0xed)
			high = 0x9f;
	} else if (lead >= 0xf0 && lead <= 0xf4) {
		size = 4;
		if (lead == 0xf0)
			low = 0x90;
		else if (lead == 0xf4)
			high = 0x8f;
	} else {
		return 0;
	}
	if (length < size || bytes[1] < low || bytes[1] > high)
		return 0;
	for (size_t i = 2; i < size; i++) {
		if (bytes[i] < 0x80 || bytes[i] > 0xbf)
			return 0;
	}
	return size;
}

size_t wire_utf8_check(const char *bytes, size_t length)
{
	size_t at = 0;
	while (at < length) {
		/* Bodies are nearly all ASCII: eight bytes at a time. */
		unsigned long long word;
		while (length - at >= sizeof(word)) {
			memcpy(&word, bytes + at, sizeof(word));
			if (word & 0x8080808080808080ULL)
				break;
			at += sizeof(word);
		}
		if (at == length)
			break;
		size_t size = utf8_character((const unsigned char *)bytes + at, length - at);
		if (size == 0)
			break;
		at += size;
	}
	return at;
}

/* C0, DEL and C1 (U+0080 to U+009F, two bytes in UTF-8). */
static bool is_control(const unsigned char *character, size_t size)
{
	return (size == 1 && (character[0] < 0x20 || character[0] == 0x7f)) ||
	       (size == 2 && character[0] == 0xc2 && character[1] < 0xa0);
}

void wire_clean_name(const char *bytes, size_t length, char ret_name[static WIRE_NAME_SIZE])
{
	size_t used = 0;
	for (size_t at = 0; at < length;) {
		const unsigned char *character = (const unsigned char *)bytes + at;
		size_t size = utf8_character(character, length - at);
		bool replace = size == 0 || is_control(character, size);
		size_t written = replace ? 1 : size;
		if (used + written > WIRE_NAME_MAX)
			break;
		if (replace)
			ret_name[used] = '?';
		else
			memcpy(ret_name + used, character, size);
		used += written;
		at += size ? size : 1;
	}
	if (used == 0)
		ret_name[used++] = '?';
	ret_name[used] = '\0';
}

/* Reads an address as inet_pton(3) has it; *ret_ipv4 tells which of the two it is. */
static bool read_address(const char *text, struct in_addr *ipv4, struct in6_addr *ipv6, bool *ret_ipv4)
{
	*ret_ipv4 = inet_pton(AF_INET, text, ipv4) == 1;
	return *ret_ipv4 || inet_pton(AF_INET6, text, ipv6) == 1;
}

/* Puts `separator` in the place of the hyphens from `at` on. */
static void replace_hyphens(char *at, char separator)
{
	for (; *at; at++) {
		if (*at == '-')
			*at = separator;
	}
}

/* Hyphens: dots when that makes an IPv4 address, alone or at the end of one that is mapped; colons otherwise. */
static bool read_hyphens(const char *text, struct in_addr *ipv4, struct in6_addr *ipv6, bool *ret_ipv4)
{
	char plain[WIRE_IP_SIZE];
	strcpy(plain, text);
	replace_hyphens(plain, '.');
	if (read_address(plain, ipv4, ipv6, ret_ipv4))
		return true;
	strcpy(plain, text);
	replace_hyphens(plain, ':');
	char *at = plain + strlen(plain);
	for (int groups = 0; at > plain; at--) {
		if (at[-1] == ':' && ++groups == 4)
			break;
	}
	if (at > plain) {
		replace_hyphens(strcpy(at, text + (at - plain)), '.');
		if (inet_pton(AF_INET6, plain, ipv6) == 1 && IN6_IS_ADDR_V4MAPPED(ipv6))
			return true;
		replace_hyphens(strcpy(at, text + (at - plain)), ':');
	}
	return inet_pton(AF_INET6, plain, ipv6) == 1;
}

bool wire_ip_parse(const char *text, char ret_ip[static WIRE_IP_SIZE])
{
	struct in_addr ipv4;
	struct in6_addr ipv6;
	bool is_ipv4 = false;
	if (strlen(text) >= WIRE_IP_SIZE ||
	    (!read_address(text, &ipv4, &ipv6, &is_ipv4) && !read_hyphens(text, &ipv4, &ipv6, &is_ipv4)))
		return false;
	/* What an IPv4 host has where IPv6 is spoken: RFC 4291, section 2.5.5.2. */
	if (!is_ipv4 && IN6_IS_ADDR_V4MAPPED(&ipv6)) {
		memcpy(&ipv4, &ipv6.s6_addr[12], sizeof(ipv4));
		is_ipv4 = true;
	}
	if (is_ipv4)
		inet_ntop(AF_INET, &ipv4, ret_ip, WIRE_IP_SIZE);
	else
		inet_ntop(AF_INET6, &ipv6, ret_ip, WIRE_IP_SIZE);
	return true;
}

void wire_read_error(const char *body, size_t length, char ret_sentence[static WIRE_NAME_SIZE])
{
	cJSON *json = length ? cJSON_ParseWithLength(body, length) : NULL;
	const char *sentence = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "error"));
	ret_sentence[0] = '\0';
	if (sentence)
		wire_clean_name(sentence, strlen(sentence), ret_sentence);
	cJSON_Delete(json);
}
