/* Quantiles of a few hundred values: Hoare's selection. Pure. */
#ifndef VIGIE_FORECAST_QUANTILE_H
#define VIGIE_FORECAST_QUANTILE_H

/* The value at `fraction` (0 to 1) of values[count] in rising order, the nearest one; they are
 * left in another order. NAN of none. */
float quantile(float values[], unsigned count, double fraction);

#endif
