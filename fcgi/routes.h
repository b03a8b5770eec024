/*
 * Which request goes to which handler: one const table.
 */
#ifndef VIGIE_FCGI_ROUTES_H
#define VIGIE_FCGI_ROUTES_H

#include "fcgi/request.h"
#include "fcgi/service.h"

/* Answers a request: a pool_handler whose user is the struct service. */
void routes_handle(void *service, struct request *request, struct response *response);

#endif
