/*
 * The records of the FastCGI specification 1.0, sections 3.3, 5.3 and 5.5, as far as answers need them where libfcgi is not
 * to write them. Pure.
 */
#ifndef VIGIE_FCGI_RECORDS_H
#define VIGIE_FCGI_RECORDS_H

#include <stddef.h>
#include <string.h>

enum {
	RECORDS_HEADER = 8,                       /* bytes */
	RECORDS_CONTENT = 65528,                  /* of one record; FastCGI takes up to 65535 */
	RECORDS_TAIL = 2 * RECORDS_HEADER + 8,    /* what is behind the last one */
};

/* The header of a record of STDOUT (or of another type) with so much content; its size. */
static inline size_t records_put_header_of(int type, int id, size_t length, unsigned char *at)
{
	const unsigned char header[RECORDS_HEADER] = { 1, (unsigned char)type, (unsigned char)(id >> 8), (unsigned char)id,
		                                           (unsigned char)(length >> 8), (unsigned char)length };
	memcpy(at, header, RECORDS_HEADER);
	return RECORDS_HEADER;
}

static inline size_t records_put_header(int id, size_t length, unsigned char *at)
{
	return records_put_header_of(6, id, length, at);
}

/* The end of STDOUT, and of the request, which is complete; its size. */
static inline size_t records_put_tail(int id, unsigned char *at)
{
	size_t size = records_put_header(id, 0, at);
	size += records_put_header_of(3, id, 8, at + size);
	memset(at + size, 0, 8);
	return size + 8;
}

#endif
