"""Whether a series of measurements is flat."""

import math
import statistics

# How many errors a slope of so many points may be over 0 by chance once in a thousand (Student's t, two degrees of freedom
# less than points), and at least 3.
ERRORS = {3: 318, 4: 22.3, 5: 10.2, 6: 7.17, 7: 5.89, 8: 5.21, 9: 4.79, 10: 4.50, 12: 4.14, 15: 3.85, 20: 3.61, 30: 3.41, 60: 3.24}


def slope(times, values):
    """(slope, its standard error) of the line of least squares through three points or more."""
    mean_time, mean = statistics.fmean(times), statistics.fmean(values)
    spread = sum((at - mean_time) ** 2 for at in times)
    rise = sum((at - mean_time) * (value - mean) for at, value in zip(times, values)) / spread
    rest = sum((value - mean - rise * (at - mean_time)) ** 2 for at, value in zip(times, values))
    return rise, math.sqrt(rest / (len(times) - 2) / spread)


def errors_allowed(count):
    return max((errors for points, errors in ERRORS.items() if points >= count), default=3)


def is_flat(times, values, span, share, floor):
    """False where the slope is certainly over 0 and would, in `span`, add `share` of the mean and `floor` or more."""
    rise, error = slope(times, values)
    certain = rise > errors_allowed(len(times)) * error
    return not (certain and rise * span > share * statistics.fmean(values) + floor)
