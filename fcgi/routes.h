/*
 * Which request goes to which handler: one const table.
 */
#ifndef VIGIE_FCGI_ROUTES_H
#define VIGIE_FCGI_ROUTES_H

#include "fcgi/request.h"
#include "fcgi/service.h"

/* What the pool calls; the user is the struct service. */

/* Whether the host is this server, the address exists, takes the method, and the token gives the
 * right to it: otherwise false, with the answer. False, too, for one that only asks. */
bool routes_admit(void *service, struct request *request, struct response *response)
	__attribute__((warn_unused_result));

/* Answers a request that was admitted; a PUT of samples later, where it has a `later`. */
void routes_handle(void *service, struct request *request, struct response *response);

/* Before the answer of one that was put off is sent. */
void routes_late(void *service, const struct request *request, const struct response *response);

/* After an answer that was not put off was sent. */
void routes_sent(void *service, struct request *request);

/* Appends the table, a line a route: `GET get-all/<ip> window process`. */
void routes_append_table(struct text *text);

#endif
