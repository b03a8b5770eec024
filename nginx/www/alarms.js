/** Alarms: those that stand, those that stood in a span, whom the kernel has killed, and how one is said in a line. */
import {element} from "./dom.js";
import {clockTime, colourWords, duration, percent, resourceWords, round} from "./format.js";
import {isOfHost, keyOf} from "./processes.js";
import {silenceButton} from "./silences.js";
import {retentionSeconds} from "./span.js";
import {href, timeText} from "./state.js";

/**
 * @typedef {{process: string, ip: string, hostname: ?string, resource: string, color: string, value: number,
 *   threshold: ?number, since: ?number, probability: ?number, expected_at: ?number, full_at: ?number, missing: ?boolean,
 *   silenced_until: ?number}} Alarm
 * @typedef {{time: number, ip: string, process: string, resource: string, color: ?string, oom_kills: ?number}} Transition
 * @typedef {{process: string, ip: string, resource: string, color: string, from: number, to: ?number}} Interval
 * @typedef {{process: string, ip: string, kills: number, from: number, to: number}} Kill
 */

/**
 * @param {Transition[]} transitions oldest first
 * @returns {Interval[]} what is not green, by its start; `to` is null where no end is known
 */
export function intervals(transitions) {
	const open = new Map();
	const result = [];
	for (const {time, ip, process, resource, color} of transitions) {
		if (color === null) {
			continue; // what was killed
		}
		const key = `${ip}\n${process}\n${resource}`;
		const last = open.get(key);
		if (last?.color === color) {
			continue;
		}
		if (last) {
			last.to = time;
			open.delete(key);
		}
		if (color !== "green") {
			const interval = {process, ip, resource, color, from: time, to: null};
			open.set(key, interval);
			result.push(interval);
		}
	}
	return result;
}

/**
 * @param {Transition[]} transitions
 * @returns {Kill[]} whom the kernel has killed for want of memory, in the order of the transitions
 */
export function killsOf(transitions) {
	return transitions
		.filter(({color}) => color === null)
		.map(({time, ip, process, oom_kills}) => ({process, ip, kills: oom_kills, from: time, to: time}));
}

/**
 * @param {Alarm[]} alarms
 * @returns {Alarm[]} one of those that are the same of each resource, since they are about none
 */
export function withoutTwins(alarms) {
	const seen = new Set();
	return alarms.filter(({ip, process, missing}) => {
		const key = keyOf(ip, process);
		const isTwin = (missing || process === "*") && seen.has(key);
		seen.add(key);
		return !isTwin;
	});
}

/**
 * @param {string} colour
 * @returns {HTMLElement} the colour as a word on its colour
 */
export function badge(colour) {
	return element("span", {class: `badge ${colour}`}, colourWords[colour]);
}

function processLink(alarm, span = {}) {
	const {process, ip} = alarm;
	return isOfHost(alarm)
		? element("strong", {}, "the whole host")
		: element("a", {href: href({view: "", process, ip, ...span})}, process);
}

/**
 * @param {Alarm} alarm
 * @param {string} host its name
 * @param {number} now
 * @returns {HTMLElement} a list's item
 */
export function alarmItem(alarm, host, now) {
	const resource = resourceWords[alarm.resource];
	// Who reports it need not tell its limit, nor since when it stands.
	const limit = typeof alarm.threshold === "number" ? `, limit ${round(alarm.threshold)}` : "";
	const level = isOfHost(alarm)
		? "silent"
		: alarm.missing
			? "must run and does not"
			: `${resource} ${percent(alarm.value)}${limit}`;
	const item = element(
		"li",
		{},
		badge(alarm.color),
		processLink(alarm),
		element("span", {class: "faint"}, ` on ${host} `),
		element("span", {class: "level"}, level)
	);
	if (alarm.color === "orange") {
		item.append(element("span", {class: "ahead"}, expectation(alarm, now)));
	}
	if (alarm.since) {
		item.append(
			element("span", {class: "faint"}, `since ${clockTime(alarm.since, now)} (${duration(now - alarm.since)})`)
		);
	}
	item.append(
		alarm.silenced_until
			? element("span", {class: "faint"}, `silenced until ${clockTime(alarm.silenced_until, now)}`)
			: silenceButton(alarm, host)
	);
	return item;
}

/** What is expected of an alarm that is AMBER. */
function expectation({probability, expected_at, full_at, threshold}, now) {
	const parts = [];
	if (probability !== null && probability !== undefined) {
		parts.push(`${Math.round(100 * probability)} % likely to pass ${threshold ? round(threshold) : "its limit"}`);
	}
	if (expected_at) {
		parts.push(
			`expected ${clockTime(expected_at, now)}${expected_at > now ? ` (in ${duration(expected_at - now)})` : ""}`
		);
	}
	if (full_at) {
		parts.push(`at its limit ${clockTime(full_at, now)} (in ${duration(full_at - now)})`);
	}
	return parts.join(", ");
}

/** Where the process is seen at the time of an alarm or its end. */
function spanAround({from, to}, now) {
	const margin = Math.max(120, (to - from) / 2);
	const oldest = now - retentionSeconds() + 300; // it gets older until it is asked for
	return {from: timeText(Math.max(oldest, from - margin)), to: timeText(Math.min(now, to + margin))};
}

function killItem(kill, host, now) {
	return element(
		"li",
		{},
		element("span", {class: "badge killed"}, "OOM"),
		kill.process === "*" ? "of unknown name" : processLink(kill, spanAround(kill, now)),
		element("span", {class: "faint"}, ` on ${host} `),
		element("span", {class: "level"}, `${kill.kills === 1 ? "" : `${kill.kills} `}killed for want of memory`),
		element("span", {class: "faint"}, clockTime(kill.from, now, true))
	);
}

/**
 * @param {Interval|Kill} interval
 * @param {string} host its name
 * @param {number} now
 * @param {number} end of the span that it was looked for in
 * @returns {HTMLElement} a list's item that leads to the process at that time
 */
export function intervalItem(interval, host, now, end) {
	if (interval.kills) {
		return killItem(interval, host, now);
	}
	const to = interval.to ?? end;
	const span = spanAround({from: interval.from, to}, now);
	const open = end < now ? "…" : "still";
	const until = interval.to === null ? open : `${clockTime(to, now)} (${duration(to - interval.from)})`;
	return element(
		"li",
		{},
		badge(interval.color),
		processLink(interval, span),
		element("span", {class: "faint"}, ` on ${host} `),
		element("span", {class: "level"}, isOfHost(interval) ? "silent" : resourceWords[interval.resource]),
		element("span", {class: "faint"}, `${clockTime(interval.from, now)} – ${until}`)
	);
}
