/*
 * vigie-forecast explain: what is expected of one series now, and why. It reads the
 * series' history as the service does, and what the service has written of what it has
 * learnt; it writes nothing.
 */
#ifndef VIGIE_FORECAST_EXPLAIN_H
#define VIGIE_FORECAST_EXPLAIN_H

/* The command, from its word on. Gives the exit status. */
int explain_main(int argc, char *argv[]);

#endif
