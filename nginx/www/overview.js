/** The overview: the alarms, the hosts and the table of all processes, of now or of a past span. */
import {alarmItem, intervalItem, intervals, killsOf, withoutTwins} from "./alarms.js";
import {get} from "./api.js";
import {byId, fill, setText, showMore} from "./dom.js";
import {counted, worst} from "./format.js";
import {showHosts} from "./hosts.js";
import {choose, keyOf, rowsOf} from "./processes.js";
import {fetchCurves, forgetCurves} from "./sparkline.js";
import {retentionSeconds} from "./span.js";
import {current, go, href} from "./state.js";
import {showColour} from "./status.js";
import {drawCurves, rowsInView, showRows, startTable} from "./table.js";

const alarmsAtFirst = 6;
const alarmsAtMost = 500;
const earlierAtMost = 100;
const transitionsAtMost = 1000;
const rowsAtMost = 20000;
const earlierSeconds = 60; // how old the list of earlier alarms may be
const earlierSpan = 2 * 86400; // that it is of: the server reads each tick of it that an alarm stood

let showsAllAlarms = false;
let shown = null; // what the table is made of
let curvesOf = "";
let ticked = false; // since curves were asked for
let loaded = {key: "", data: null}; // of a past span, which does not change
let earlier = {time: 0, transitions: [], alarms: []}; // those that have ended, and what was killed, the newest first

/** Called once. */
export function startOverview() {
	startTable(askForCurves);
	byId("filter").addEventListener("input", () => go({q: byId("filter").value}, true));
	byId("filter-host").addEventListener("change", () => go({host: byId("filter-host").value}));
	byId("filter-colour").addEventListener("change", () => go({color: byId("filter-colour").value}));
}

/**
 * Asks for what the view shows.
 * @param {ReturnType<import("./state.js").spanOf>} span
 * @param {number} now
 * @param {AbortSignal} signal
 * @returns {Promise<Object>}
 */
export async function loadOverview(span, now, signal) {
	const key = JSON.stringify(span.query);
	if (span.settled && loaded.key === key) {
		return loaded.data;
	}
	const isOld = !span.past && now - earlier.time > earlierSeconds;
	const [means, ofSpan] = await Promise.all([
		get("get-all", [...span.query, ["by", "host"], ["limit", String(rowsAtMost)]], signal),
		span.past ? get("alarms", [...span.query, ["standing", "1"]], signal) : null,
		isOld ? loadEarlier(now, signal) : null,
	]);
	const data = {means, intervals: ofSpan && intervals(ofSpan), kills: ofSpan ? killsOf(ofSpan) : []};
	loaded = {key, data};
	return data;
}

/** Asks for what has become of alarms since the last time, with a minute that may have been told late. */
async function loadEarlier(now, signal) {
	const length = Math.min(retentionSeconds(), earlierSpan);
	const oldest = now - length + Math.min(60, length / 4); // it gets older until it is asked for
	const from = Math.ceil(Math.max(oldest, earlier.time - 60));
	const query = [
		["from", String(from)],
		["limit", String(transitionsAtMost)],
	];
	const newer = (await get("alarms", query, signal)).reverse();
	const known = earlier.transitions.filter(({time}) => time > oldest && time <= from);
	const transitions = [...known, ...newer].slice(-transitionsAtMost);
	const ended = intervals(transitions).filter(({to}) => to !== null);
	earlier = {time: now, transitions, alarms: [...ended, ...killsOf(transitions)].sort((a, b) => b.from - a.from)};
}

/**
 * @param {Object} data of loadOverview
 * @param {{now: number, span: Object, names: Map<string, string>, hosts: Object[], colour: string, alarms: Object[],
 *   interval_s: number}} common
 */
export function showOverview(data, common) {
	const {names, hosts, colour, span} = common;
	const alarms = span.past ? data.intervals : withoutTwins(common.alarms);
	const otherwise = !span.past && colour === "unknown" ? "unknown" : "green";
	shown = {common, rows: rowsOf(data.means, alarms, names, otherwise)};
	ticked ||= !span.settled;
	showBand(alarms, data.kills, common);
	showEarlier(common);
	showHosts(hosts);
	showTable();
}

/**
 * Shows that there is nothing to show: what was of another span is not to look as if it were of this one.
 * @param {Object[]} hosts
 */
export function showNoOverview(hosts) {
	shown = null;
	showColour("unknown", "nothing to show");
	for (const id of ["alarms", "no-alarms", "alarms-more", "earlier", "nothing"]) {
		byId(id).hidden = true;
	}
	setText(byId("count"), "");
	showHosts(hosts);
	showRows([]);
}

/** The band of the worst colour, with its alarms, and what was killed in a past span. */
function showBand(alarms, kills, common) {
	const {now, span, names, hosts, colour} = common;
	const nameOf = ip => names.get(ip) ?? ip;
	// Whether anybody watched then is not known: no green for the past.
	const ofPast = alarms.length > 0 ? worst(alarms.map(alarm => alarm.color)) : "none";
	const ofBand = span.past ? ofPast : colour;
	const count = (color, missing = false) =>
		new Set(
			alarms
				.filter(alarm => alarm.color === color && Boolean(alarm.missing) === missing)
				.map(alarm => keyOf(alarm.ip, alarm.process))
		).size;
	const parts = [
		[count("red"), "over the limit"],
		[count("red", true), "missing"],
		[count("orange"), span.past ? "was expected" : "expected soon"],
		[count("unknown"), "silent"],
	]
		.filter(([number]) => number > 0)
		.map(([number, words]) => `${number} ${words}`);
	if (parts.length === 0 && ofBand === "unknown") {
		parts.push("nobody watches now");
	}
	const ofHosts = span.past ? new Set(shown.rows.map(row => row.ip)).size : hosts.length;
	const scope = `${counted(ofHosts, "host")}, ${counted(shown.rows.length, "process", "processes")}`;
	showColour(ofBand, parts.join(", "), parts.length > 0 ? "" : scope);

	const order = ["red", "unknown", "orange"];
	const sorted = [...alarms].sort(
		(a, b) => order.indexOf(a.color) - order.indexOf(b.color) || (b.since ?? b.from) - (a.since ?? a.from)
	);
	const listed = [...sorted, ...kills].slice(0, showsAllAlarms ? alarmsAtMost : alarmsAtFirst);
	fill(byId("alarms"), JSON.stringify([span.past, listed, href({}), Math.floor(now / 10)]), () =>
		listed.map(alarm =>
			span.past ? intervalItem(alarm, nameOf(alarm.ip), now, span.to) : alarmItem(alarm, nameOf(alarm.ip), now)
		)
	);
	byId("alarms").hidden = listed.length === 0;
	byId("no-alarms").hidden = alarms.length > 0;
	setText(
		byId("no-alarms"),
		span.past
			? "No alarms in this span."
			: ofBand === "green"
				? "No process is over its limit, or expected to be soon."
				: ""
	);
	const all = alarms.length + kills.length;
	showMore("alarms-more", all > alarmsAtFirst, showsAllAlarms, counted(all, "alarm"), () => {
		showsAllAlarms = !showsAllAlarms;
		showBand(alarms, kills, common);
	});
}

function showEarlier({now, span, names}) {
	const list = earlier.alarms;
	byId("earlier").hidden = span.past || list.length === 0;
	setText(byId("earlier-summary"), `Earlier alarms (${list.length.toLocaleString()})`);
	fill(byId("earlier-alarms"), JSON.stringify([list, href({})]), () =>
		list.slice(0, earlierAtMost).map(alarm => intervalItem(alarm, names.get(alarm.ip) ?? alarm.ip, now, now))
	);
}

/** Shows the rows that the state lets through, in its order. */
export function showTable() {
	if (!shown) {
		return;
	}
	const state = current();
	const rows = choose(shown.rows, state);
	showRows(rows);
	const isAll = rows.length === shown.rows.length;
	setText(
		byId("count"),
		isAll
			? `${rows.length < rowsAtMost ? "" : "the largest "}${counted(rows.length, "process", "processes")}`
			: `${rows.length.toLocaleString()} of ${shown.rows.length.toLocaleString()}`
	);
	byId("nothing").hidden = rows.length > 0;
	setText(byId("nothing"), shown.rows.length === 0 ? "No samples in this span." : "No process matches the filters.");
	if (byId("filter") !== document.activeElement) {
		byId("filter").value = state.q;
	}
	byId("filter-colour").value = state.color;
	byId("filter-host").value = state.host;
	setText(byId("trend-title"), curveResource() === "cpu" ? "CPU trend" : "Memory trend");
}

function curveResource() {
	return current().sort === "cpu" ? "cpu" : "mem";
}

/** Asks for the curves of the rows in view, as far as they are not there. */
function askForCurves() {
	if (!shown || byId("overview").hidden) {
		return;
	}
	const {span, interval_s} = shown.common;
	const of = JSON.stringify([span.query, curveResource()]);
	if (of !== curvesOf) {
		curvesOf = of;
		forgetCurves();
		drawCurves();
	}
	fetchCurves(rowsInView(), shown.rows, span, curveResource(), interval_s, ticked, drawCurves);
	ticked = false;
}
