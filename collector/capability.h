/*
 * Rights that are needed once, at the start, and given up then. Without libcap, which takes as many lines.
 */
#ifndef VIGIE_COLLECTOR_CAPABILITY_H
#define VIGIE_COLLECTOR_CAPABILITY_H

/* Gives a capability (CAP_NET_ADMIN …) up for good, where this thread has it. The bounding set stays where CAP_SETPCAP
 * is missing too: nobody who has neither gets one back but by executing a program. */
void capability_drop(int capability);

#endif
