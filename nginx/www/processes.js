/** The processes of a span as the rows of a table: pure functions, thousands of rows in a few milliseconds. */
import {colourOrder, worst} from "./format.js";

/**
 * @typedef {{key: string, ip: string, host: string, process: string, mem: ?number, cpu: ?number, color: string}} Row
 */

/**
 * @param {string} ip
 * @param {string} process
 * @returns {string}
 */
export function keyOf(ip, process) {
	return `${ip}\n${process}`;
}

/**
 * @param {{process: string, color: string}} alarm
 * @returns {boolean} whether it is of a host that is silent; a process may have the name "*", but is never silent itself
 */
export function isOfHost({process, color}) {
	return process === "*" && color === "unknown";
}

/**
 * @param {Object} means of GET get-all?by=host
 * @param {Array<{ip: string, process: string, color: string}>} alarms
 * @param {Map<string, string>} names of the hosts
 * @param {string} otherwise the colour of what has no alarm
 * @returns {Row[]}
 */
export function rowsOf(means, alarms, names, otherwise) {
	const colours = new Map();
	for (const alarm of alarms) {
		const key = isOfHost(alarm) ? alarm.ip : keyOf(alarm.ip, alarm.process);
		colours.set(key, worst([alarm.color, colours.get(key) ?? "green"]));
	}
	const rows = [];
	for (const [ip, processes] of Object.entries(means)) {
		const host = names.get(ip) ?? ip;
		const ofHost = colours.get(ip) ?? otherwise;
		for (const [process, [mem, cpu]] of Object.entries(processes)) {
			const key = keyOf(ip, process);
			rows.push({key, ip, host, process, mem, cpu, color: colours.get(key) ?? ofHost});
		}
	}
	return rows;
}

const collator = new Intl.Collator(undefined, {numeric: true});
const byColour = (a, b) => colourOrder.indexOf(b.color) - colourOrder.indexOf(a.color);
const byNumber = name => (a, b) => (a[name] ?? -1) - (b[name] ?? -1);
const orders = {
	mem: byNumber("mem"),
	cpu: byNumber("cpu"),
	process: (a, b) => collator.compare(a.process, b.process),
	host: (a, b) => collator.compare(a.host, b.host),
	color: byColour,
};

/**
 * @param {Row[]} rows
 * @param {{q: string, host: string, color: string, sort: string, order: string}} state
 * @returns {Row[]} those that the filters let through, in their order
 */
export function choose(rows, {q, host, color, sort, order}) {
	const text = q.trim().toLowerCase();
	const chosen = rows.filter(
		row =>
			(host === "" || row.ip === host) &&
			(color === "" || row.color === color) &&
			(text === "" || row.process.toLowerCase().includes(text) || row.host.toLowerCase().includes(text))
	);
	const sign = order === "asc" ? 1 : -1;
	const compare = orders[sort];
	// What is equal goes by its use, and then by its name, so that it does not jump about.
	return chosen.sort((a, b) => sign * compare(a, b) || (b.mem ?? -1) - (a.mem ?? -1) || (a.key < b.key ? -1 : 1));
}
