#include "forecast/quantile.h"

#include <math.h>

float quantile(float values[], unsigned count, double fraction)
{
	if (count == 0)
		return NAN;
	int wanted = (int)(fraction * (count - 1) + 0.5);
	int low = 0, high = (int)count - 1;
	while (low < high) {
		float pivot = values[low + (high - low) / 2];
		int i = low, j = high;
		while (i <= j) {
			while (values[i] < pivot)
				i++;
			while (values[j] > pivot)
				j--;
			if (i <= j) {
				float value = values[i];
				values[i++] = values[j];
				values[j--] = value;
			}
		}
		if (wanted <= j)
			high = j;
		else if (wanted >= i)
			low = i;
		else
			break;
	}
	return values[wanted];
}
