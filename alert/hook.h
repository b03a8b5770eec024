/*
 * The hook: a program that is run for each transition, with the transition's fields
 * (alert/fields.h) as its arguments: the word, then each key=value.
 *
 *   HOOK RED ip=10.0.0.5 process=java resource=mem value=83.10 threshold=80 since=2026-11-22T14:00:10Z
 *
 * It can be made to wait for more of them (hook_set_wait()): it is then run once for all that have come meanwhile. Its
 * standard input is a JSON array of them, an object a line, each with the line of the alert log behind its fields; its
 * arguments are as above where it is one, and none otherwise.
 *
 *   [
 *   {"time": "2026-11-22T14:00:15.000Z", "word": "RED", "ip": "10.0.0.5", …, "line": "2026-11-22T14:00:15.000Z RED ip=…"},
 *   {"time": …}
 *   ]
 *
 * A thread of its own runs one at a time, in the transitions' order, so that the caller never
 * waits, a thousand alarms are no thousand programs, and an alarm's end never overtakes its
 * beginning. HOOK_QUEUE_MAX transitions may wait; the oldest give way, since what is now
 * matters more, and are counted and logged.
 *
 * The program is executed as it is, without a shell, in a process group of its own, with
 * /dev/null as its input unless it waits, our standard error as its output and error, no other descriptor,
 * and no signal blocked or ignored. At its time limit its group is killed. That it cannot be
 * run, its exit status other than 0, its death by a signal and its time limit are logged once
 * each, until it has succeeded again.
 *
 * One thread (the caller's) uses a hook. Another way of being told is added beside it: tell_channels()
 * in alert/service_round.c, which tells nothing of what is silenced.
 */
#ifndef VIGIE_ALERT_HOOK_H
#define VIGIE_ALERT_HOOK_H

#include <stdint.h>

#include "alert/alarm.h"

enum {
	HOOK_QUEUE_MAX = 1000,
	/* For the one that runs and those that wait, when the service ends: a program in Python takes some seconds to start on a
	 * machine that is busy. deploy/run waits for eight seconds. */
	HOOK_CLOSE_MS = 5000,
};

struct hook;

/* A hook that runs nothing yet. NULL: out of memory. */
struct hook *hook_open(void);

/*
 * Which program is run from now on ("": none, what waits is dropped), and for how long. 0; or
 * a negative errno when it will not be possible as things are now: -ENOENT, -EACCES ...: it is
 * tried all the same; -EAGAIN: there is no thread, nothing is run.
 */
int hook_configure(struct hook *hook, const char *path, int64_t timeout_ms) __attribute__((warn_unused_result));

/* How long transitions are waited for from the first on; 0, as at first: each is run for by itself. Those that wait are run
 * for as soon as there are HOOK_QUEUE_MAX, or the service ends. */
void hook_set_wait(struct hook *hook, int64_t wait_ms);

/* Has the program run for a transition, soon. Never waits. */
void hook_add(struct hook *hook, const struct transition *transition);

/* Gives what runs and what waits HOOK_CLOSE_MS, kills the rest. NULL is fine. */
void hook_close(struct hook *hook);

#endif
