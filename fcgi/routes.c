#include "fcgi/routes.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/wire.h"
#include "fcgi/counters.h"
#include "fcgi/exposition.h"

static service_handler metrics;

enum kind {
	WRITE,  /* PUT */
	READ,   /* GET and HEAD of what is in the store: those who ask the same share an answer */
	STATUS, /* GET and HEAD of what is known without the store */
	PUBLIC, /* the same, whatever tokens there are */
	COMMAND, /* POST, with an admin token */
	SETTING, /* PUT, with an admin token, of what a GET of the same name tells */
	ENDING,  /* DELETE, with an admin token */
};

/* What follows a route's name. */
enum rest {
	NOTHING,
	ADDRESS, /* get-all/<ip> */
	WISH,    /* services/<service>/<start|stop> */
	ID,      /* silences/<id> */
};

#define OF_SPAN (PARAMETER_WINDOW | PARAMETER_FROM | PARAMETER_TO)
#define OF_MEANS (OF_SPAN | PARAMETER_PROCESS | PARAMETER_RESOURCE | PARAMETER_ABOVE | PARAMETER_LIMIT)
#define OF_ALL_HOSTS (PARAMETER_IP | PARAMETER_BY)
#define OF_LATEST (PARAMETER_IP | PARAMETER_PROCESS | PARAMETER_RESOURCE)
#define OF_ALARMS (PARAMETER_IP | PARAMETER_PROCESS | PARAMETER_LIMITED)
#define OF_ROWS PARAMETER_FORMAT

static const struct route {
	const char *name; /* below WIRE_PREFIX */
	enum kind kind;
	enum rest rest;
	unsigned parameters;
	service_handler *handler;
} routes[] = {
	{ "save-all", WRITE, NOTHING, 0, service_save_all },
	{ "save-alarms", WRITE, NOTHING, 0, service_save_alarms },
	{ "save-forecasts", WRITE, NOTHING, 0, service_save_forecasts },
	{ "get-all", READ, NOTHING, OF_MEANS | OF_ALL_HOSTS | OF_ROWS, service_get_all },
	{ "get-all", READ, ADDRESS, OF_MEANS | OF_ROWS, service_get_all },
	{ "get-all-detailed", READ, NOTHING,
	  OF_MEANS | OF_ALL_HOSTS | PARAMETER_TIMESTAMPS | PARAMETER_STEP | PARAMETER_FN | OF_ROWS,
	  service_get_all_detailed },
	{ "latest", READ, NOTHING, OF_LATEST | OF_ROWS, service_latest },
	{ "query-alarm", READ, NOTHING, OF_ALARMS | PARAMETER_EXPLAIN | OF_ROWS, service_query_alarm },
	{ "alarms", READ, NOTHING, OF_ALARMS | OF_SPAN | PARAMETER_LIMIT | PARAMETER_STANDING | OF_ROWS, service_alarms },
	{ "oom-kills", READ, NOTHING, PARAMETER_IP | PARAMETER_PROCESS | OF_SPAN | PARAMETER_LIMIT | OF_ROWS, service_oom_kills },
	{ "forecasts", READ, NOTHING, OF_ALARMS | PARAMETER_EXPLAIN | OF_ROWS, service_forecasts },
	{ "hosts", READ, NOTHING, PARAMETER_IP | OF_ROWS, service_hosts },
	{ "services", READ, NOTHING, PARAMETER_IP | OF_ROWS, service_services },
	{ "services", COMMAND, WISH, PARAMETER_IP, service_command },
	{ "silences", SETTING, NOTHING, 0, service_silence },
	{ "silences", STATUS, NOTHING, OF_ROWS, service_silences },
	{ "silences", ENDING, ID, 0, service_unsilence },
	{ "health", PUBLIC, NOTHING, 0, service_health },
	{ "metrics", STATUS, NOTHING, 0, metrics },
	{ "metrics/processes", READ, NOTHING, OF_LATEST, service_processes },
};

enum { ROUTE_COUNT = sizeof(routes) / sizeof(routes[0]) };
_Static_assert((int)ROUTE_COUNT < (int)COUNTERS_ROUTES, "counters.h has room for every route and for no route");

/* As documents write it. */
static const char *const rests[] = { [NOTHING] = "", [ADDRESS] = "/<ip>", [WISH] = "/<service>/<start|stop>", [ID] = "/<id>" };

static void metrics(struct service *service, const struct parameters *parameters, struct request *request,
                    struct response *response)
{
	(void)parameters;
	(void)request;
	char labels[ROUTE_COUNT][48];
	const char *names[ROUTE_COUNT + 1];
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		snprintf(labels[i], sizeof(labels[i]), "%s%s", routes[i].name, rests[routes[i].rest]);
		names[i] = labels[i];
	}
	names[ROUTE_COUNT] = "none";
	response->content_type = EXPOSITION_TYPE;
	counters_append(&response->body, names, ROUTE_COUNT + 1);
	service_append_gauges(service, &response->body);
}

/* Whether a path below the prefix is that of a route; *ret_rest is what follows its name, or "". */
static bool path_fits(const struct route *route, const char *path, const char **ret_rest)
{
	size_t length = strlen(path), name_length = strlen(route->name);
	if (length > 0 && path[length - 1] == '/')
		length--;
	if (length < name_length || strncmp(path, route->name, name_length) != 0)
		return false;
	if (route->rest == NOTHING) {
		*ret_rest = "";
		return length == name_length;
	}
	if (length <= name_length + 1 || path[name_length] != '/')
		return false;
	*ret_rest = path + name_length + 1;
	return route->rest != WISH || service_is_command(*ret_rest);
}

/* Of a name that has a row for each method there is one counter. */
static void count(const struct request *request, const struct response *response)
{
	const struct route *counted = routes;
	while (request->route && (strcmp(counted->name, request->route->name) != 0 || counted->rest != request->route->rest))
		counted++;
	counters_request(request->route ? (unsigned)(counted - routes) : ROUTE_COUNT, response->status);
}

/* What a kind of route takes, and who may. */
static const struct {
	const char *method; /* and HEAD with GET */
	const char *allow;  /* as in the header, of all routes of that name */
	enum tokens_right right;
} kinds[] = {
	[WRITE] = { "PUT", "PUT", TOKENS_WRITE },
	[READ] = { "GET", "GET, HEAD", TOKENS_READ },
	[STATUS] = { "GET", "GET, HEAD", TOKENS_READ },
	[PUBLIC] = { "GET", "GET, HEAD", TOKENS_READ },
	[COMMAND] = { "POST", "POST", TOKENS_ADMIN },
	[SETTING] = { "PUT", "GET, HEAD, PUT", TOKENS_ADMIN },
	[ENDING] = { "DELETE", "DELETE", TOKENS_ADMIN },
};

static bool method_fits(const struct route *route, const char *method)
{
	const char *own = kinds[route->kind].method;
	return strcmp(method, own) == 0 || (strcmp(own, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* The route of a path below the prefix, of several the one that takes the method, or the first. */
static const struct route *find_route(const char *path, const char *method, const char **ret_rest)
{
	const struct route *first = NULL;
	for (const struct route *route = routes; route < routes + ROUTE_COUNT; route++) {
		const char *rest;
		if (!path_fits(route, path, &rest))
			continue;
		if (!first || method_fits(route, method))
			*ret_rest = rest;
		if (method_fits(route, method))
			return route;
		first = first ? first : route;
	}
	return first;
}

/* Reads the address of a path that has one, with or without a slash behind it. */
static bool read_path_ip(const char *text, struct parameters *parameters)
{
	char ip[WIRE_IP_SIZE + 1];
	size_t length = strlen(text);
	if (length > 0 && text[length - 1] == '/')
		length--;
	if (length >= sizeof(ip))
		return false;
	memcpy(ip, text, length);
	ip[length] = '\0';
	parameters->given |= PARAMETER_IP;
	return wire_ip_parse(ip, parameters->ip);
}

static bool is_allowed(struct service *service, const struct route *route, const struct request *request,
                       struct response *response)
{
	if (!service_knows_host(service, request, response))
		return false;
	if (!route) {
		response_error(response, 404, NULL, "there is no such address");
		return false;
	}
	if (!method_fits(route, request->method)) {
		response->allow = kinds[route->kind].allow;
		response_error(response, 405, NULL, "the method is not one of %s", response->allow);
		return false;
	}
	if (route->kind == PUBLIC)
		return true;
	return service_authorize(service, kinds[route->kind].right, request, response);
}

bool routes_admit(void *service, struct request *request, struct response *response)
{
	request->route = NULL;
	request->route_rest = "";
	if (strncmp(request->path, WIRE_PREFIX, strlen(WIRE_PREFIX)) == 0)
		request->route = find_route(request->path + strlen(WIRE_PREFIX), request->method, &request->route_rest);
	bool allowed = is_allowed(service, request->route, request, response);
	/* To read and check a body is most of what a PUT costs. */
	if (allowed && request->route->kind == WRITE && !request->only_asks)
		allowed = service_takes_samples(service, request, response);
	if (!allowed)
		count(request, response);
	if (!request->only_asks)
		return allowed;
	/* nginx knows these two only from one that is asked. */
	response->refusal = allowed ? 0 : response->status;
	response->status = allowed ? 204 : 403;
	return false;
}

static void handle_route(struct service *service, struct request *request, struct response *response)
{
	const struct route *route = request->route;
	struct parameters parameters;
	struct parameter_error error;
	response->varies = route->parameters & PARAMETER_FORMAT;
	int64_t max_window_ms = service_max_window_ms(service);
	if (parameters_parse(request->query, route->parameters, max_window_ms, &parameters, &error) ||
	    parameters_set_span(&parameters, clock_wall_ms(), max_window_ms, &error)) {
		response_error(response, 400, error.name, "%s", error.sentence);
		return;
	}
	if (route->rest == ADDRESS && !read_path_ip(request->route_rest, &parameters)) {
		response_error(response, 400, "ip", "what follows %s/ is not an IPv4 or IPv6 address", route->name);
		return;
	}
	if (response->varies && !(parameters.given & PARAMETER_FORMAT))
		parameters.media = media_choose(request->accept);
	request->media = parameters.media;
	if (route->kind == READ) {
		service_read(service, route->handler, &parameters, request, response);
		service_hint(service, &parameters, response);
	} else {
		route->handler(service, &parameters, request, response);
	}
}

/* Adds to an answer, which others may share, the state that who asks is to be in. Where a body has told no address, a
 * collector goes on as it is. */
static void tell_wish(struct service *service, const struct request *request, struct response *response)
{
	if (!response->state && (request->route->kind != WRITE || request->service != WIRE_COLLECTOR))
		response->state = service_wish(service, request->service, request->stopped, NULL);
}

void routes_handle(void *service, struct request *request, struct response *response)
{
	handle_route(service, request, response);
	if (response->is_later)
		return;
	tell_wish(service, request, response);
	count(request, response);
}

void routes_late(void *service, const struct request *request, const struct response *response)
{
	(void)service;
	count(request, response);
}

void routes_sent(void *service, struct request *request)
{
	service_sent(service, request);
}

void routes_append_table(struct text *text)
{
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		text_printf(text, "%s %s%s", kinds[routes[i].kind].method, routes[i].name, rests[routes[i].rest]);
		parameters_append_names(routes[i].parameters, text);
		text_append_char(text, '\n');
	}
}
