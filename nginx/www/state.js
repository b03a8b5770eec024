/**
 * What is shown stands in the URL, so that it can be sent, kept as a bookmark and left by Back:
 *   window=5m | from=2026-11-29T02:55:00Z&to=…   the span
 *   q= host= color= sort= order=                 the table of the overview
 *   process= ip=                                 a process, on one host
 *   view=services
 */

const defaults = {
	view: "",
	window: "5m",
	from: "",
	to: "",
	process: "",
	ip: "",
	q: "",
	host: "",
	color: "",
	sort: "mem",
	order: "desc",
};
const checks = {
	view: /^services$/,
	window: /^[1-9]\d*[smhd]$/,
	from: {test: isTime},
	to: {test: isTime},
	color: /^(red|orange|unknown|green)$/,
	sort: /^(mem|cpu|process|host|color)$/,
	order: /^(asc|desc)$/,
};
const settlingSeconds = 60; // that a sample may be late
const units = {s: 1, m: 60, h: 3600, d: 86400};
const listeners = [];
let state = read();

/** @typedef {typeof defaults} State */

function read() {
	const given = new URLSearchParams(location.search);
	const result = {...defaults};
	for (const name of Object.keys(defaults)) {
		const value = given.get(name);
		if (value !== null && (!checks[name] || checks[name].test(value))) {
			result[name] = value;
		}
	}
	return result;
}

/** @returns {State} not to be changed */
export function current() {
	return state;
}

/**
 * @param {Partial<State>} change
 * @returns {string} a link to the present state with the change
 */
export function href(change) {
	const query = Object.entries({...state, ...change})
		.filter(([name, value]) => value !== defaults[name])
		.map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll("%3A", ":")}`);
	return query.length > 0 ? `?${query.join("&")}` : location.pathname;
}

/**
 * @param {Partial<State>} change
 * @param {boolean} [replace] the entry of the history in the place of adding one
 */
export function go(change, replace = false) {
	const before = state;
	const target = href(change);
	state = {...state, ...change};
	history[replace ? "replaceState" : "pushState"](null, "", target);
	listeners.forEach(listener => listener(state, before));
}

/** @param {function(State, State)} listener called with the state and the one before */
export function onChange(listener) {
	listeners.push(listener);
}

addEventListener("popstate", () => {
	const before = state;
	state = read();
	listeners.forEach(listener => listener(state, before));
});

// A link within the page changes the state alone; one that is to open elsewhere is the browser's.
document.addEventListener("click", event => {
	const link = event.target.closest?.("a[href]");
	if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) {
		return;
	}
	const url = new URL(link.href);
	if (url.origin === location.origin && url.pathname === location.pathname) {
		event.preventDefault();
		const before = state;
		history.pushState(null, "", url);
		state = read();
		listeners.forEach(listener => listener(state, before));
	}
});

/** Whether it is a time, and one that there is a date of. */
function isTime(text) {
	return !Number.isNaN(new Date(parseTime(text) * 1000).getTime());
}

/**
 * @param {string} text seconds, milliseconds or RFC 3339
 * @returns {number} seconds since 1970, NaN where it is none of them
 */
function parseTime(text) {
	if (/^\d+(\.\d+)?$/.test(text)) {
		const number = Number(text);
		return number >= 1e11 ? number / 1000 : number;
	}
	return /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text.replace(" ", "+")) / 1000 : NaN;
}

/**
 * @param {number} time
 * @returns {string} as it stands in the URL
 */
export function timeText(time) {
	return new Date(Math.round(time) * 1000).toISOString().replace(".000", "");
}

/**
 * The span that a state is about.
 * @param {State} of
 * @param {number} now
 * @returns {{past: boolean, settled: boolean, from: number, to: number, length: number, query: Array<[string, string]>}}
 *   `settled` where no more samples come
 */
export function spanOf(of, now) {
	if (of.from === "" && of.to === "") {
		const length = Number(of.window.slice(0, -1)) * units[of.window.slice(-1)];
		return {past: false, settled: false, from: now - length, to: now, length, query: [["window", of.window]]};
	}
	const to = of.to === "" ? now : Math.min(now, parseTime(of.to));
	const from = of.from === "" ? to - 300 : parseTime(of.from);
	const query = [
		["from", of.from],
		["to", of.to],
	]
		.filter(([, text]) => text !== "")
		.map(([name, text]) => [name, String(parseTime(text))]);
	return {past: true, settled: to < now - settlingSeconds, from, to, length: to - from, query};
}
