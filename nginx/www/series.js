/** Answers of the server as the rows of a chart: pure functions. */

/** What a chart needs no more values than. */
const mostValues = 400;
const steps = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

/**
 * @param {number} length of a span in seconds
 * @param {number} interval_s between samples
 * @returns {number} seconds that one value is made of; the interval: all samples as they are
 */
export function stepOf(length, interval_s) {
	return Math.max(interval_s, steps.find(step => step >= length / mostValues) ?? steps.at(-1));
}

/**
 * @param {Object<string, Array<[number, number]>>} means of each host, oldest first
 * @param {?Object<string, Array<[number, number]>>} highs the same times with the highest values, of one host alone
 * @param {string[]} ips the hosts, in their order
 * @param {number} step
 * @returns {Array<[Date, ...*]>} a value is null where a host has none at that time, and NaN where its line is to break
 */
export function chartRows(means, highs, ips, step) {
	const byTime = new Map();
	ips.forEach((ip, column) => {
		const high = new Map(highs?.[ip] ?? []);
		let last = null;
		const put = (time, value) => {
			const row =
				byTime.get(time) ??
				byTime
					.set(time, [new Date(time * 1000), ...ips.map(() => (highs ? [null, null, null] : null))])
					.get(time);
			row[column + 1] = highs ? [value, value, Number.isNaN(value) ? NaN : (high.get(time) ?? value)] : value;
		};
		for (const [time, value] of means[ip] ?? []) {
			if (last !== null && time - last > 2.5 * step) {
				put(last + step, NaN);
			}
			put(time, value);
			last = time;
		}
	});
	return [...byTime.values()].sort((a, b) => a[0] - b[0]);
}

/**
 * @param {Array<[number, number]>} values
 * @param {Array<[number, number]>} highs may be the same
 * @returns {?{last: number, mean: number, high: number, highAt: number}} null where there are none
 */
export function summary(values, highs) {
	if (values.length === 0) {
		return null;
	}
	let high = highs[0];
	for (const point of highs) {
		high = point[1] > high[1] ? point : high;
	}
	return {
		last: values.at(-1)[1],
		mean: values.reduce((sum, [, value]) => sum + value, 0) / values.length,
		high: high[1],
		highAt: high[0],
	};
}
