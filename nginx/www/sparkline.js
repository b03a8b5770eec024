/**
 * Small curves of the rows that are in view: they are fetched for these alone and kept for as long as they are in view.
 * All are asked for at once where few other hosts have processes of these names, otherwise a host at a time.
 */
import {get} from "./api.js";

const points = 60;
const namesAtOnce = 50; // as many as the server takes
const queryBytes = 3500; // and so long a query
const seriesAtOnce = 400;
const width = 120;
const height = 24;
const leastRange = 0.3; // of the highest value

let paths = new Map(); // key → the attribute d of a path
let fresh = new Set(); // the keys of those that are of this tick
let controller = null;

/**
 * @param {string} key
 * @returns {string} the curve as an SVG path; empty where it is not known
 */
export function pathOf(key) {
	return paths.get(key) ?? "";
}

/** Forgets all: another span, or another resource. */
export function forgetCurves() {
	controller?.abort();
	paths = new Map();
	fresh = new Set();
}

/**
 * @param {import("./processes.js").Row[]} rows in view
 * @param {import("./processes.js").Row[]} all that there are
 * @param {{from: number, to: number, length: number, query: Array<[string, string]>}} span
 * @param {"mem"|"cpu"} resource
 * @param {number} interval_s
 * @param {boolean} ticked whether those that are there are of an earlier tick
 * @param {function()} changed called when there is something new to draw
 */
export async function fetchCurves(rows, all, span, resource, interval_s, ticked, changed) {
	controller?.abort();
	const mine = new AbortController();
	controller = mine;
	if (ticked) {
		fresh = new Set();
	}
	const inView = new Set(rows.map(row => row.key));
	for (const key of paths.keys()) {
		if (!inView.has(key)) {
			paths.delete(key);
			fresh.delete(key);
		}
	}
	const step = Math.max(interval_s, Math.ceil(span.length / points));
	for (const bundle of bundles(rows.filter(row => !fresh.has(row.key)), all)) {
		const query = [
			...span.query,
			["by", "host"],
			["resource", resource],
			["timestamps", "1"],
			["step", `${step}s`],
			...(bundle.ip ? [["ip", bundle.ip]] : []),
			...[...bundle.names].map(name => ["process", name]),
		];
		try {
			const answer = await get("get-all-detailed", query, mine.signal);
			for (const {key, ip, process} of bundle.rows) {
				fresh.add(key);
				paths.set(key, path(answer[ip]?.[process] ?? [], span.from, span.to, 2.5 * step));
			}
		} catch {
			break; // a refresh, or a scroll, asks again
		}
		if (mine !== controller) {
			return;
		}
	}
	changed(); // once: each drawing is a layout
}

/** The rows in bundles whose names a query has room for, of all hosts or of one each. */
function* bundles(rows, all) {
	const names = new Set(rows.map(row => row.process));
	const series = all.reduce((count, row) => count + names.has(row.process), 0);
	const groups = new Map();
	for (const row of rows) {
		const ip = series <= seriesAtOnce ? "" : row.ip;
		groups.set(ip, [...(groups.get(ip) ?? []), row]);
	}
	for (const [ip, group] of groups) {
		let bundle = {ip, names: new Set(), rows: []},
			bytes = 0;
		for (const row of group) {
			const size = bundle.names.has(row.process) ? 0 : 3 * new TextEncoder().encode(row.process).length + 9;
			if (size > 0 && (bundle.names.size === namesAtOnce || bytes + size > queryBytes)) {
				yield bundle;
				bundle = {ip, names: new Set(), rows: []};
				bytes = 0;
			}
			bundle.names.add(row.process);
			bundle.rows.push(row);
			bytes += size;
		}
		yield bundle;
	}
}

/**
 * A curve over its own range, but for what hardly moves, which is to look so. What lies further apart than `gap`
 * seconds is not joined.
 */
function path(values, from, to, gap) {
	const highest = Math.max(...values.map(([, value]) => value));
	const lowest = Math.min(...values.map(([, value]) => value));
	const range = Math.max(highest - lowest, leastRange * highest, 1e-9);
	const bottom = (highest + lowest - range) / 2;
	let last = -Infinity;
	return values
		.map(([time, value]) => {
			const x = Math.min(1, Math.max(0, (time - from) / (to - from))) * width;
			const y = height - 1.5 - ((value - bottom) / range) * (height - 3);
			const joined = time - last <= gap;
			last = time;
			const point = `${x.toFixed(1)} ${y.toFixed(1)}`;
			return joined ? `L${point}` : `M${point}h0.5`; // one alone is to be seen
		})
		.join("");
}
