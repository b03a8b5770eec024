/*
 * Tells Alertmanagers which alarms stand, and which have ended (alert/alerts.h): what begins or ends at once, and all of it
 * anew each RENEW, a minute, or six intervals where that is less. An alert is posted as ending four RENEWs later, so that it
 * ends by itself where nobody renews it any more.
 *
 * A thread of its own asks, one Alertmanager after the other, so that the caller never waits. One that does not answer is
 * tried again after a second, then after twice as long each time, up to ten; all of it is new to it then, since it may have
 * been started anew. Status 400 says that one of the alerts was refused and the others were taken: that is logged, and as
 * good as taken. What fails is logged once, until it works again.
 *
 * What has been posted is in a file, so that what ends while we are not there, or while an Alertmanager is not, is told
 * later. It is written before a first post.
 *
 * One thread (the caller's) uses an alertmanager.
 */
#ifndef VIGIE_ALERT_ALERTMANAGER_H
#define VIGIE_ALERT_ALERTMANAGER_H

#include <stdbool.h>
#include <stdint.h>

#include "alert/hostnames.h"
#include "alert/states.h"
#include "common/config.h"
#include "common/text.h"

struct alertmanager;

/* 0, or -EINVAL with a sentence on a URL that is none. */
int alertmanager_check(const struct config *config, struct text *ret_error) __attribute__((warn_unused_result));

/*
 * Goes on from the file at `path`, or begins without: a broken one is moved aside. Nothing of `config`, which
 * alertmanager_check() takes, is kept. 0 with NULL where it names none; -ENOMEM, -EAGAIN (no thread), or why the file
 * cannot be read.
 */
int alertmanager_open(const struct config *config, const char *path, struct alertmanager **ret_alertmanager)
	__attribute__((warn_unused_result));

/* As alerts_lack(). */
bool alertmanager_lacks(struct alertmanager *alertmanager, const struct states *states);

/* As alerts_update(), and has it told, soon. Never waits. */
void alertmanager_update(struct alertmanager *alertmanager, const struct states *states, const struct hostnames *names,
                         int64_t now_ms);

/* Tells what has not been told yet those who have not failed, a second each; what stands stays. NULL is fine. */
void alertmanager_close(struct alertmanager *alertmanager);

#endif
