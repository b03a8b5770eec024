/*
 * Sections of bytes as one zstd frame with a checksum, and back. The only file that knows libzstd.
 *
 * Each section ends a block of the frame, so that bytes of unlike kinds are not coded by one table. Pure but for
 * memory; a writer and a reader keep theirs from one frame to the next, and each is used by one thread at a time.
 */
#ifndef VIGIE_FCGI_SQLITE_FRAME_H
#define VIGIE_FCGI_SQLITE_FRAME_H

#include <stddef.h>

#include "common/text.h"
#include "fcgi/sqlite/varint.h"

enum {
	FRAME_SECTIONS_MAX = 32,
	FRAME_BYTES_MAX = 1 << 27, /* of what a frame holds: 128 MiB */
};

struct frame_writer {
	struct ZSTD_CCtx_s *context; /* made by the first frame */
};

/* Appends the frame of sections[count]. 0, -ENOMEM (also where a section has failed), or -E2BIG over
 * FRAME_BYTES_MAX. */
int frame_write(struct frame_writer *writer, const struct text sections[], size_t count, struct text *frame)
	__attribute__((warn_unused_result));

void frame_writer_close(struct frame_writer *writer);

struct frame_reader {
	struct ZSTD_DCtx_s *context; /* made by the first frame */
	unsigned char *bytes;        /* what the last frame held; bytes[capacity] */
	size_t capacity;
};

/* Finds the sections of a frame that has `count` of them; they are valid until the next frame. 0, -ENOMEM, or -EBADMSG,
 * also where anything follows the frame. */
int frame_read(struct frame_reader *reader, const void *frame, size_t length, struct varint_bytes ret_sections[],
               size_t count) __attribute__((warn_unused_result));

void frame_reader_close(struct frame_reader *reader);

#endif
