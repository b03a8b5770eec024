/*
 * An alert as POST api/v2/alerts of an Alertmanager takes it: see alert/alerts.h. Pure.
 */
#ifndef VIGIE_ALERT_ALERT_BODY_H
#define VIGIE_ALERT_ALERT_BODY_H

#include <stdint.h>

#include "alert/alarm.h"
#include "common/text.h"

/* Appends the object of an alarm that is not green. `hostname` may be ""; `page` is the server's URL, with a slash at its
 * end. */
void alert_body_append(const struct alarm *alarm, const char *hostname, int64_t since_ms, int64_t end_ms, const char *page,
                       struct text *body);

#endif
