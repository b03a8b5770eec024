/*
 * Cuts JSON that comes in over the network into its objects of one depth, so that an
 * answer of a hundred megabytes is parsed (by cJSON) a series at a time.
 *
 * Depth counts the brackets around and of an object: in {"a": [{"b": 1}]} the inner
 * object is at 3. The rest of the document, with null in the place of the pieces, is
 * the frame. Documents may follow each other, as in JSON lines. Pure; one thread.
 */
#ifndef VIGIE_FCGI_REMOTE_PIECES_H
#define VIGIE_FCGI_REMOTE_PIECES_H

#include "common/text.h"

struct cJSON;

/* Takes one piece, or the frame of a whole document. 0, or a negative errno that ends it. */
typedef int pieces_take(void *user, const struct cJSON *object);

struct pieces {
	unsigned depth; /* of the pieces */
	pieces_take *take_piece, *take_frame; /* the frame's may be NULL */
	void *user;
	bool non_finite; /* a piece may have +Inf, -Inf and NaN, which are not JSON: they are taken as -1 */
	/* of pieces.c: */
	unsigned level;
	bool in_string, escaped;
	struct text piece, frame;
};

/* Takes the next bytes: an http_sink. 0, -ENOMEM, -EBADMSG for what is no JSON, or what
 * a callback returned. */
int pieces_feed(void *pieces, const char *bytes, size_t length) __attribute__((warn_unused_result));

/* After the last bytes, an http_sink_end: 0, or -EBADMSG when a document is not at its end. */
int pieces_end(const void *pieces) __attribute__((warn_unused_result));

void pieces_free(struct pieces *pieces);

#endif
