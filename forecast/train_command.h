/*
 * vigie-forecast train: fits what every series' model starts from to the histories that the
 * server has, and writes it to a model file.
 */
#ifndef VIGIE_FORECAST_TRAIN_COMMAND_H
#define VIGIE_FORECAST_TRAIN_COMMAND_H

/* The command, from its word on. Gives the exit status. */
int train_main(int argc, char *argv[]);

#endif
