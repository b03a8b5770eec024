/* GET services and POST services/<service>/<start|stop>. */
#include "fcgi/service_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

/* ---- POST ---- */

/* Reads "<service>/<start|stop>"; false where it is something else. */
static bool read_command(const char *path, struct wish *ret_wish)
{
	static const struct {
		const char *word;
		bool stop;
	} words[] = { { "/start", false }, { "/stop", true } };
	size_t length = strlen(path);
	if (length > 0 && path[length - 1] == '/')
		length--;
	for (int i = WIRE_NOBODY + 1; i < WIRE_SERVICES; i++) {
		const char *name = wire_service_name((enum wire_service)i);
		size_t name_length = strlen(name);
		for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++) {
			if (length == name_length + strlen(words[j].word) && strncmp(path, name, name_length) == 0 &&
			    strncmp(path + name_length, words[j].word, strlen(words[j].word)) == 0) {
				*ret_wish = (struct wish){ .service = (enum wire_service)i, .stop = words[j].stop };
				return true;
			}
		}
	}
	return false;
}

bool service_is_command(const char *path)
{
	struct wish wish;
	return read_command(path, &wish);
}

static bool store_has_host(struct service *service, const char *ip, int *ret_result)
{
	struct store_hosts hosts;
	int64_t oldest_ms = clock_wall_ms() - service_max_window_ms(service);
	bool found = false;
	*ret_result = service->ops->hosts(service->store, oldest_ms, service_certain_ms(service) + SERVICE_AHEAD_MS, &hosts);
	if (*ret_result)
		return false;
	for (size_t i = 0; i < hosts.count && !found; i++)
		found = strcmp(hosts.items[i].ip, ip) == 0;
	store_hosts_free(&hosts);
	return found;
}

/* Has a wish stored, from inside the gate. */
static void express(struct service *service, const struct wish *wish, struct response *response)
{
	char refusal[STORE_REFUSAL_SIZE] = "";
	int result = 0;
	if (wish->ip[0] && !wishes_have(service->wishes, wish->ip) && !collectors_know(service->collectors, wish->ip) &&
	    !store_has_host(service, wish->ip, &result)) {
		if (result)
			service_answer_failure(result, response);
		else
			response_error(response, 404, "ip", "no host with this address is known");
		return;
	}
	const struct kept kept = wishes_kept(wish);
	result = keeper_put(service->keeper, METRIC_WISH, &kept, refusal);
	if (result == -EINVAL)
		response_error(response, 503, NULL, "the store refuses it: %s", refusal);
	else if (result == -EDQUOT)
		response_error(response, 503, NULL, "too many hosts have a wish of their own");
	else if (result)
		service_answer_failure(result, response);
	if (result)
		return;
	log_info("%s%s%s is to %s", wire_service_name(wish->service), wish->ip[0] ? " of " : "", wish->ip,
	         wish->stop ? "stop" : "run");
	text_append_string(&response->body, "{\"Response\": \"Ok\"}\n");
}

void service_command(struct service *service, const struct parameters *parameters, struct request *request,
                     struct response *response)
{
	struct wish wish;
	bool is_command = read_command(request->route_rest, &wish);
	assert(is_command); /* what is none has no route */
	if (parameters->given & PARAMETER_IP) {
		if (wish.service != WIRE_COLLECTOR) {
			response_error(response, 400, "ip", "only collectors have a host of their own");
			return;
		}
		memcpy(wish.ip, parameters->ip, sizeof(wish.ip));
	}
	if (!keeper_knows(service->keeper)) {
		response_error(response, 503, NULL, "the store does not answer");
		return;
	}
	if (request->later)
		request->later->wait(request->later);
	if (!service_enter_store(service, GATE_WRITE, response))
		return;
	express(service, &wish, response);
	gate_leave(&service->gate, GATE_WRITE);
}

/* ---- GET ---- */

/* What is known of a host. */
struct known {
	const char *ip; /* first: compare_known() */
	const struct collectors_sight *sight; /* NULL: its collector has said nothing */
	int64_t last_seen_ms; /* 0: no sample */
};

static int compare_known(const void *left, const void *right)
{
	const struct known *a = left, *b = right;
	return strcmp(a->ip, b->ip);
}

/* Sorts, and makes one of those that have one address. How many there are. */
static size_t unite(struct known known[], size_t count)
{
	size_t used = 0;
	qsort(known, count, sizeof(*known), compare_known);
	for (size_t i = 0; i < count; i++) {
		if (used == 0 || strcmp(known[used - 1].ip, known[i].ip) != 0) {
			known[used++] = known[i];
			continue;
		}
		if (known[i].sight)
			known[used - 1].sight = known[i].sight;
		if (known[i].last_seen_ms)
			known[used - 1].last_seen_ms = known[i].last_seen_ms;
	}
	return used;
}

/* What is said of a service. */
struct said {
	enum wire_service service;
	const char *ip, *hostname; /* of a collector; "": all collectors, or none is known */
	const char *wish, *state;  /* state "": of all collectors */
	int64_t last_ms;           /* its last report; 0: never */
};

static void append_state(struct text *body, const struct said *said)
{
	text_printf(body, "\"wish\": \"%s\", \"state\": \"%s\", \"last_report\": ", said->wish, said->state);
	if (said->last_ms)
		json_append_seconds(body, said->last_ms);
	else
		text_append_string(body, "null");
}

static void append_row(struct csv *csv, const struct said *said)
{
	csv_append_time(csv, said->last_ms, said->last_ms);
	csv_append_words(csv, said->ip);
	csv_append_words(csv, wire_service_name(said->service));
	csv_append_name(csv, said->hostname);
	csv_append_words(csv, said->wish);
	csv_append_words(csv, said->state);
	csv_end_row(csv);
}

static const char *find_wish(struct service *service, enum wire_service which, const char *ip)
{
	return wishes_stop(service->wishes, which, ip) ? WIRE_STOP : WIRE_RUN;
}

static struct said say_collector(struct service *service, const struct known *known, int64_t now_ms)
{
	const struct collectors_sight *sight = known->sight;
	int64_t last_ms = sight && sight->received_ms > known->last_seen_ms ? sight->received_ms : known->last_seen_ms;
	bool silent = now_ms - last_ms >= service_patience_ms(service, sight ? sight->interval_ms : 0);
	return (struct said){
		.service = WIRE_COLLECTOR, .ip = known->ip, .hostname = sight ? sight->hostname : "",
		.wish = find_wish(service, WIRE_COLLECTOR, known->ip), .last_ms = last_ms,
		.state = silent ? "unknown" : !sight || !sight->obeys ? "unsupported" : sight->stopped ? WIRE_STOP : WIRE_RUN,
	};
}

static void append_host(struct text *body, const struct said *said)
{
	json_append_string(body, said->ip);
	text_append_string(body, ": {\"hostname\": ");
	if (said->hostname[0])
		json_append_string(body, said->hostname);
	else
		text_append_string(body, "null");
	text_append_string(body, ", ");
	append_state(body, said);
	text_append_char(body, '}');
}

static void append_service(struct service *service, enum wire_service which, const char *state,
                           const struct sign_of_life *sign, struct csv *rows, struct text *body)
{
	const struct said said = {
		.service = which, .ip = "", .hostname = "", .wish = find_wish(service, which, ""), .state = state,
		.last_ms = atomic_load(&sign->wall_ms),
	};
	if (rows) {
		append_row(rows, &said);
		return;
	}
	text_printf(body, ", \"%s\": {", wire_service_name(which));
	append_state(body, &said);
	text_append_char(body, '}');
}

/* All hosts that have samples, a collector that has reported, or a wish. */
static void answer(struct service *service, const struct parameters *parameters, const struct store_hosts *hosts,
                   const struct collectors_sight *sights, size_t sight_count, const struct wish *wishes, size_t wish_count,
                   struct response *response)
{
	struct text *body = &response->body;
	int64_t now_ms = clock_wall_ms();
	size_t count = 0;
	struct known *known = malloc((hosts->count + sight_count + wish_count + 1) * sizeof(*known));
	if (!known) {
		response_no_memory(response, -ENOMEM);
		return;
	}
	for (size_t i = 0; i < hosts->count; i++)
		known[count++] = (struct known){ .ip = hosts->items[i].ip, .last_seen_ms = hosts->items[i].last_seen_ms };
	for (size_t i = 0; i < sight_count; i++)
		known[count++] = (struct known){ .ip = sights[i].ip, .sight = &sights[i] };
	for (size_t i = 0; i < wish_count; i++) {
		if (wishes[i].ip[0])
			known[count++] = (struct known){ .ip = wishes[i].ip };
	}
	count = unite(known, count);

	struct csv csv;
	const struct said all = {
		.service = WIRE_COLLECTOR, .ip = "", .hostname = "", .wish = find_wish(service, WIRE_COLLECTOR, ""), .state = "",
	};
	bool first = true, in_rows = service_begin_answer(parameters, '{', "time,ip,service,hostname,wish,state", &csv, response);
	if (in_rows)
		append_row(&csv, &all);
	else
		text_printf(body, "\"collector\": {\"wish\": \"%s\", \"hosts\": {", all.wish);
	for (size_t i = 0; i < count && service_has_room(response); i++) {
		if ((parameters->given & PARAMETER_IP) && strcmp(known[i].ip, parameters->ip) != 0)
			continue;
		struct said said = say_collector(service, &known[i], now_ms);
		if (in_rows) {
			append_row(&csv, &said);
			continue;
		}
		text_append_string(body, first ? "" : ", ");
		append_host(body, &said);
		first = false;
	}
	free(known);
	if (response->status != 200)
		return;
	text_append_string(body, in_rows ? "" : "}}");
	append_service(service, WIRE_ALERT, service_alert_state(service), &service->alert, in_rows ? &csv : NULL, body);
	append_service(service, WIRE_FORECAST, service_forecast_state(service), &service->forecast, in_rows ? &csv : NULL, body);
	text_append_string(body, in_rows ? "" : "}\n");
}

void service_services(struct service *service, const struct parameters *parameters, struct request *request,
                      struct response *response)
{
	(void)request;
	struct store_hosts hosts;
	struct collectors_sight *sights = NULL;
	struct wish *wishes = NULL;
	size_t sight_count = 0, wish_count = 0;
	int64_t start_ns = clock_monotonic_ns(), oldest_ms = clock_wall_ms() - service_max_window_ms(service);
	if (!keeper_knows(service->keeper)) {
		response_error(response, 503, NULL, "the store does not answer");
		return;
	}
	int result = service->ops->hosts(service->store, oldest_ms, service_certain_ms(service) + SERVICE_AHEAD_MS, &hosts);
	if (!service_check_read(service, result, start_ns, response))
		return;
	result = collectors_list(service->collectors, oldest_ms, false, &sights, &sight_count);
	if (result == 0)
		result = wishes_list(service->wishes, &wishes, &wish_count);
	if (result)
		response_no_memory(response, result);
	else
		answer(service, parameters, &hosts, sights, sight_count, wishes, wish_count, response);
	free(wishes);
	free(sights);
	store_hosts_free(&hosts);
}
