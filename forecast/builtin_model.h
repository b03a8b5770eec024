/* The content of forecast/builtin.model, which the build makes a string of. */
#ifndef VIGIE_FORECAST_BUILTIN_MODEL_H
#define VIGIE_FORECAST_BUILTIN_MODEL_H

extern const char builtin_model[];

#endif
