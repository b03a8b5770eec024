/*
 * vigie-forecast backtest: what the service would have said of a series, at each step of its
 * past, from what was before alone.
 */
#ifndef VIGIE_FORECAST_BACKTEST_H
#define VIGIE_FORECAST_BACKTEST_H

/* The command, from its word on: reads a trace on its standard input and prints
 * `timestamp,probability,forecast` for each row. Gives the exit status. */
int backtest_main(int argc, char *argv[]);

#endif
