#include "fcgi/sqlite/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

/* Columns' bytes are of few kinds: short matches are everywhere, and take more than they save. */
enum {
	LEVEL = 13,      /* the lowest that weighs a match against the bits that its bytes would take */
	MATCH_MIN = 5,   /* bytes */
	WINDOW_LOG = 17, /* what is alike is near; a writer's tables then have 3 MiB at most */
};

static int start(struct frame_writer *writer, size_t size)
{
	if (!writer->context)
		writer->context = ZSTD_createCCtx();
	if (!writer->context)
		return -ENOMEM;
	size_t codes[] = {
		ZSTD_CCtx_reset(writer->context, ZSTD_reset_session_only),
		ZSTD_CCtx_setParameter(writer->context, ZSTD_c_compressionLevel, LEVEL),
		ZSTD_CCtx_setParameter(writer->context, ZSTD_c_checksumFlag, 1),
		ZSTD_CCtx_setParameter(writer->context, ZSTD_c_minMatch, MATCH_MIN),
		ZSTD_CCtx_setParameter(writer->context, ZSTD_c_windowLog, WINDOW_LOG),
		/* Known, it makes the tables smaller, and is in the frame. */
		ZSTD_CCtx_setPledgedSrcSize(writer->context, size),
	};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (ZSTD_isError(codes[i]))
			return -ENOMEM;
	}
	return 0;
}

static int feed(struct frame_writer *writer, const struct text *bytes, ZSTD_EndDirective directive, struct text *frame)
{
	char buffer[16384];
	ZSTD_inBuffer in = { bytes->data, bytes->length, 0 };
	size_t left;
	do {
		ZSTD_outBuffer out = { buffer, sizeof(buffer), 0 };
		left = ZSTD_compressStream2(writer->context, &out, &in, directive);
		if (ZSTD_isError(left))
			return -ENOMEM;
		text_append(frame, buffer, out.pos);
	} while (left || in.pos < in.size);
	return 0;
}

int frame_write(struct frame_writer *writer, const struct text sections[], size_t count, struct text *frame)
{
	struct text sizes = TEXT_EMPTY;
	size_t total = 0;
	bool failed = false;
	for (size_t i = 0; i < count; i++) {
		varint_append(&sizes, sections[i].length);
		total += sections[i].length;
		failed = failed || text_failed(&sections[i]);
	}
	int result = failed || text_failed(&sizes) ? -ENOMEM : total + sizes.length > FRAME_BYTES_MAX ? -E2BIG : 0;
	if (result == 0)
		result = start(writer, total + sizes.length);
	if (result == 0)
		result = feed(writer, &sizes, ZSTD_e_continue, frame);
	for (size_t i = 0; i < count && result == 0; i++) {
		if (sections[i].length)
			result = feed(writer, &sections[i], ZSTD_e_flush, frame);
	}
	if (result == 0)
		result = feed(writer, &TEXT_EMPTY, ZSTD_e_end, frame);
	text_free(&sizes);
	return result ? result : text_failed(frame) ? -ENOMEM : 0;
}

void frame_writer_close(struct frame_writer *writer)
{
	ZSTD_freeCCtx(writer->context);
	writer->context = NULL;
}

/* Makes room for what a frame says that it holds. */
static int reserve(struct frame_reader *reader, const void *frame, size_t length, size_t *ret_size)
{
	unsigned long long size = ZSTD_getFrameContentSize(frame, length);
	if (size == 0 || size > FRAME_BYTES_MAX) /* also what is no frame, or does not say */
		return -EBADMSG;
	if (!reader->context)
		reader->context = ZSTD_createDCtx();
	if (!reader->context)
		return -ENOMEM;
	if (size > reader->capacity) {
		unsigned char *bytes = malloc(size);
		if (!bytes)
			return -ENOMEM;
		free(reader->bytes);
		reader->bytes = bytes;
		reader->capacity = size;
	}
	*ret_size = size;
	return 0;
}

int frame_read(struct frame_reader *reader, const void *frame, size_t length, struct varint_bytes ret_sections[],
               size_t count)
{
	size_t size;
	int result = reserve(reader, frame, length, &size);
	if (result)
		return result;
	/* It takes frame after frame, if there are more; they have no room. */
	if (ZSTD_decompressDCtx(reader->context, reader->bytes, size, frame, length) != size)
		return -EBADMSG;

	struct varint_bytes rest = { reader->bytes, reader->bytes + size };
	uint64_t lengths[FRAME_SECTIONS_MAX];
	for (size_t i = 0; i < count; i++) {
		if (!varint_take(&rest, &lengths[i]))
			return -EBADMSG;
	}
	for (size_t i = 0; i < count; i++) {
		if (lengths[i] > (size_t)(rest.end - rest.at))
			return -EBADMSG;
		ret_sections[i] = (struct varint_bytes){ rest.at, rest.at + lengths[i] };
		rest.at += lengths[i];
	}
	return rest.at == rest.end ? 0 : -EBADMSG;
}

void frame_reader_close(struct frame_reader *reader)
{
	ZSTD_freeDCtx(reader->context);
	free(reader->bytes);
	*reader = (struct frame_reader){ 0 };
}
