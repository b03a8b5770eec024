#include "common/wire.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <string.h>

_Static_assert(RESOURCE_COUNT == 2, "each has a name");
static const char *const resource_names[RESOURCE_COUNT] = {
	[RESOURCE_MEM] = "mem",
	[RESOURCE_CPU] = "cpu",
};

static const char *const color_names[COLOR_COUNT] = {
	[COLOR_GREEN] = "green",
	[COLOR_ORANGE] = "orange",
	[COLOR_RED] = "red",
	[COLOR_UNKNOWN] = "unknown",
};

const char *wire_resource_name(enum resource resource)
{
	return resource_names[resource];
}

bool wire_resource_parse(const char *name, enum resource *ret_resource)
{
	for (int i = 0; i < RESOURCE_COUNT; i++) {
		if (strcmp(name, resource_names[i]) == 0) {
			*ret_resource = (enum resource)i;
			return true;
		}
	}
	return false;
}

const char *wire_color_name(enum color color)
{
	return color_names[color];
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

bool wire_ip_parse(const char *text, char ret_ip[static WIRE_IP_SIZE])
{
	char plain[WIRE_IP_SIZE];
	size_t length = strlen(text);
	if (length >= sizeof(plain))
		return false;
	memcpy(plain, text, length + 1);

	struct in_addr ipv4;
	struct in6_addr ipv6;
	if (inet_pton(AF_INET, plain, &ipv4) != 1 && inet_pton(AF_INET6, plain, &ipv6) != 1) {
		/* Hyphens: dots when that makes an IPv4 address, colons otherwise. */
		static const char separators[] = { '.', ':' };
		bool found = false;
		for (size_t i = 0; i < 2 && !found; i++) {
			for (size_t j = 0; j < length; j++)
				plain[j] = text[j] == '-' ? separators[i] : text[j];
			found = inet_pton(i == 0 ? AF_INET : AF_INET6, plain, i == 0 ? (void *)&ipv4 : (void *)&ipv6) == 1;
		}
		if (!found)
			return false;
	}
	if (strchr(plain, ':') && IN6_IS_ADDR_V4MAPPED(&ipv6))
		inet_ntop(AF_INET, &ipv6.s6_addr[12], ret_ip, WIRE_IP_SIZE);
	else if (strchr(plain, ':'))
		inet_ntop(AF_INET6, &ipv6, ret_ip, WIRE_IP_SIZE);
	else
		inet_ntop(AF_INET, &ipv4, ret_ip, WIRE_IP_SIZE);
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
