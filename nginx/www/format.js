/** Numbers, times and colours as people read them. Times are seconds since 1970. */

export const colourWords = {red: "RED", orange: "AMBER", unknown: "UNKNOWN", green: "GREEN", none: "NO ALARM"};

/** From the worst to the best. */
export const colourOrder = ["red", "orange", "unknown", "green"];

/**
 * @param {string[]} colours
 * @returns {string} the worst; green where there is none
 */
export function worst(colours) {
	return colourOrder.find(colour => colours.includes(colour)) ?? "green";
}

/** "mem" and "cpu" in words. */
export const resourceWords = {mem: "memory", cpu: "CPU"};

/**
 * @param {?number} value
 * @returns {string} with three digits where it has them
 */
export function percent(value) {
	if (value === null || value === undefined) {
		return "–";
	}
	if (value === 0) {
		return "0 %";
	}
	if (value < 0.01) {
		return "<0.01 %";
	}
	return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} %`;
}

/**
 * @param {?number} value
 * @returns {string} without digits that say nothing: a limit, or the mark of an axis
 */
export function round(value) {
	return typeof value === "number" ? `${Number(value.toPrecision(3))} %` : "–";
}

/**
 * @param {?number} value
 * @returns {string} like "1.5 MiB/s"
 */
export function bytesPerSecond(value) {
	if (typeof value !== "number") {
		return "–";
	}
	const units = ["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"];
	let scaled = value,
		at = 0;
	while (scaled >= 1024 && at < units.length - 1) {
		scaled /= 1024;
		at++;
	}
	return `${Number(scaled.toPrecision(scaled < 1000 ? 3 : 4))} ${units[at]}`;
}

/**
 * @param {number} seconds
 * @returns {string} like "4 min"
 */
export function duration(seconds) {
	const s = Math.max(0, Math.round(seconds));
	for (const [unit, size] of [
		["d", 86400],
		["h", 3600],
		["min", 60],
	]) {
		if (s >= size * (unit === "min" ? 1 : 2)) {
			return `${Math.floor(s / size)} ${unit}`;
		}
	}
	return `${s} s`;
}

const day = new Intl.DateTimeFormat(undefined, {weekday: "short", day: "numeric", month: "short"});
const dayOfYear = new Intl.DateTimeFormat(undefined, {day: "numeric", month: "short", year: "numeric"});
const minute = new Intl.DateTimeFormat(undefined, {hour: "2-digit", minute: "2-digit", hourCycle: "h23"});
const second = new Intl.DateTimeFormat(undefined, {
	hour: "2-digit",
	minute: "2-digit",
	second: "2-digit",
	hourCycle: "h23",
});

/**
 * @param {number} time
 * @param {number} now a time of another day than now's is said with it
 * @param {boolean} [seconds]
 * @returns {string}
 */
export function clockTime(time, now, seconds = false) {
	const date = new Date(time * 1000);
	const clock = (seconds ? second : minute).format(date);
	const today = new Date(now * 1000);
	if (date.toDateString() === today.toDateString()) {
		return clock;
	}
	return `${(Math.abs(now - time) < 180 * 86400 ? day : dayOfYear).format(date)}, ${clock}`;
}

/**
 * @param {number} from
 * @param {number} to
 * @param {number} now
 * @returns {string}
 */
export function spanWords(from, to, now) {
	const sameDay = new Date(from * 1000).toDateString() === new Date(to * 1000).toDateString();
	const seconds = to - from < 120;
	return `${clockTime(from, now, seconds)} – ${clockTime(to, sameDay ? to : now, seconds)}`;
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 * @returns {string}
 */
export function counted(count, one, many = `${one}s`) {
	return `${count.toLocaleString()} ${count === 1 ? one : many}`;
}

/**
 * @param {number} time
 * @returns {string} what an input of type datetime-local takes
 */
export function localInput(time) {
	const date = new Date(time * 1000);
	const two = number => String(number).padStart(2, "0");
	return (
		`${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}` +
		`T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
	);
}
