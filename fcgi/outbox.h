/*
 * Large answers on their way to nginx, which takes them as fast as its client does and holds little of
 * them: one thread sends them all, so that no reader, however slow, holds a thread of the pool.
 *
 * What waits here is a third of the budget's answers at most, an answer that is lent to several counted
 * once, and OUTBOX_ANSWERS in number. Where one more finds no room, the slowest of those that had their
 * time (OUTBOX_TIME_MS) are cut off; otherwise it waits a moment, and is refused then. An answer that
 * is larger than the third has the outbox for itself.
 *
 * The records are those of fcgi/records.h. Any thread may call;
 * one lock, within which response_give_back() is not called.
 */
#ifndef VIGIE_FCGI_OUTBOX_H
#define VIGIE_FCGI_OUTBOX_H

#include "fcgi/request.h"

enum {
	OUTBOX_LARGE = 256 << 10, /* bytes of a body that is sent from here: nginx has room for less at once */
	OUTBOX_ANSWERS = 256,
	OUTBOX_TIME_MS = 10000,
};

struct outbox;
struct outbox_item; /* the place of one answer */

/* Starts its thread. 0; -ENOMEM; -EMFILE or -ENFILE: no descriptor can be had; or -EAGAIN: no thread. */
int outbox_open(struct outbox **ret_outbox) __attribute__((warn_unused_result));

/* Sends what is on its way for up to two seconds more, and cuts the rest off. Nobody may put
 * anything in any more. Accepts NULL. */
void outbox_close(struct outbox *outbox);

/* Makes room for the response's body: 0, -ENOBUFS when there is none, or -ENOMEM. *ret_item goes to
 * outbox_send() with the same response, or to outbox_cancel(). */
int outbox_reserve(struct outbox *outbox, const struct response *response, struct outbox_item **ret_item)
	__attribute__((warn_unused_result));

/* Sends the body and the end of FastCGI's request `id`, whose head is sent, over `fd`, and closes that.
 * Takes all of them: *response is as if it were new. */
void outbox_send(struct outbox *outbox, struct outbox_item *item, int fd, int id, struct response *response);

/* Nothing will be sent. */
void outbox_cancel(struct outbox *outbox, struct outbox_item *item);

#endif
