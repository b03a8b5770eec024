/*
 * Tells the service manager how the program fares, by the protocol of sd_notify(3): a datagram of
 * lines `NAME=value` to the Unix socket that NOTIFY_SOCKET names, a path or, with @ in front, an
 * abstract name. Without libsystemd, which the protocol's documentation names as not needed.
 *
 * Where NOTIFY_SOCKET is not set nobody asks, and nothing is sent. One thread at a time.
 */
#ifndef VIGIE_COMMON_NOTIFY_H
#define VIGIE_COMMON_NOTIFY_H

enum notify_state { NOTIFY_READY, NOTIFY_RELOADING, NOTIFY_STOPPING };

/* 0, also where nobody asks; -EINVAL for an address that is none, or why it was not taken. */
int notify_send(enum notify_state state) __attribute__((warn_unused_result));

#endif
