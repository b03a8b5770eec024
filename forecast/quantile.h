/* Quantiles of a few hundred values: Hoare's selection, of many values after a histogram. Pure. */
#ifndef VIGIE_FORECAST_QUANTILE_H
#define VIGIE_FORECAST_QUANTILE_H

/* The value at `fraction` (0 to 1) of values[count] in rising order, the nearest one; they are
 * left in another order. NAN of none. */
float quantile(float values[], unsigned count, double fraction);

/* Two of them at once, of at most QUANTILE_MAX finite values, which stay in their order. Several
 * times as fast where they are many. */
enum { QUANTILE_MAX = 512 };
void quantile_pair(const float values[], unsigned count, double low, double high, float *ret_low, float *ret_high);

#endif
