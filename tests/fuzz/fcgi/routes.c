/*
 * A request as it comes from nginx:
 *
 *   METHOD PATH?QUERY
 *   the Authorization header
 *   the body
 */
#include "tests/fuzz/fcgi/served.h"

/* What is read has series of two hosts with all that is stored of them, so that there is something to choose from. */
#define VALUES(name, ip, process, value) \
	"{\"name\":\"" name "\",\"tags\":{\"ip\":\"" ip "\",\"process\":\"" process "\"},\"columns\":[\"time\",\"v\"]," \
	"\"values\":[[1795356860000," value "],[1795356870000," value "]]}"

static const char answer[] =
	"{\"results\":[{\"series\":["
	VALUES("cpu_usage_percent", "10.0.0.5", "bash", "12.5") "," VALUES("mem_usage_percent", "10.0.0.5", "bash", "3") ","
	VALUES("cpu_usage_percent", "10.0.0.6", "a%25b", "99.999") "," VALUES("cpu_alarm", "10.0.0.6", "a%25b", "2") ","
	VALUES("cpu_alarm_since", "10.0.0.6", "a%25b", "1795356800") "," VALUES("mem_alarm", "10.0.0.5", "bash", "1") ","
	VALUES("mem_forecast_percent", "10.0.0.5", "bash", "91") ","
	VALUES("mem_forecast_probability", "10.0.0.5", "bash", "0.8") ","
	VALUES("mem_forecast_lead_s", "10.0.0.5", "bash", "600") "]}]}\n";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	served.status = 200;
	served.bytes = answer;
	served.size = served.piece = strlen(answer);
	char *line = fuzz_line(&bytes, &size), *authorization = fuzz_line(&bytes, &size);
	char *accept = fuzz_line(&bytes, &size), *body = fuzz_string(bytes, size);
	char *query = line;
	const char *method = strsep(&query, " "), *path = query ? strsep(&query, "?") : "";
	struct request request = {
		.method = method, .path = path, .query = query ? query : "", .authorization = authorization, .host = "", .accept = accept,
		.body = body, .body_length = size,
	};
	struct service *service = served_open("influxql");
	served_ask(service, &request);
	/* What a collector has said of itself. */
	served_get(service, WIRE_PREFIX "hosts", "");
	served_get(service, WIRE_PREFIX "hosts", "format=csv");
	served_get(service, WIRE_PREFIX "metrics", "");
	served_get(service, WIRE_PREFIX "metrics/processes", "");
	service_close(service);
	free(line);
	free(authorization);
	free(accept);
	free(body);
	return 0;
}
