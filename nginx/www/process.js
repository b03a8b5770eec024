/** The view of one process: what it uses on each host over the span, its alarms, its forecast and why. */
import {get} from "./api.js";
import {badge, intervalItem, intervals, killsOf, withoutTwins} from "./alarms.js";
import {lineColours, makeChart} from "./chart.js";
import {byId, element, fill, setAttribute, setText} from "./dom.js";
import {bytesPerSecond, clockTime, counted, duration, percent, resourceWords, round} from "./format.js";
import {isOfHost} from "./processes.js";
import {chartRows, stepOf, summary} from "./series.js";
import {goTo} from "./span.js";
import {current, href} from "./state.js";
import {showWhy} from "./why.js";

const linesAtMost = 8;
const hostsAtMost = 200;

const percentAxis = {mark: round, width: 58, binary: false};
const bytesAxis = {mark: bytesPerSecond, width: 78, binary: true};

/** What has a chart: those with limits, which are always there, and those that some collectors measure. */
const kinds = {
	mem: {resource: "mem", title: "Memory", say: percent, axis: percentAxis},
	cpu: {resource: "cpu", title: "CPU", say: percent, axis: percentAxis},
	read: {resource: "read_bytes_per_second", title: "Reads", say: bytesPerSecond, axis: bytesAxis, optional: true},
	write: {resource: "write_bytes_per_second", title: "Writes", say: bytesPerSecond, axis: bytesAxis, optional: true},
};
const resources = Object.keys(kinds);

const charts = {};
const readings = {}; // of each resource: what says the values of a row, or of the last one
let loaded = {key: "", data: null}; // of a past span, which does not change

/** Called once. */
export function startProcess() {
	for (const resource of resources) {
		charts[resource] = makeChart(
			byId(`${resource}-chart`),
			goTo,
			row => readings[resource]?.(row),
			kinds[resource].axis
		);
	}
}

/** Releases what the view holds. */
export function leaveProcess() {
	resources.forEach(resource => charts[resource].clear());
	["process-alarm", ...resources.map(resource => `${resource}-reading`), "of-hosts", "why", "its-alarms"].forEach(id =>
		fill(byId(id), "", () => [])
	);
	loaded = {key: "", data: null};
}

/**
 * Asks for what the view shows.
 * @param {import("./state.js").State} state
 * @param {ReturnType<import("./state.js").spanOf>} span
 * @param {number} interval_s
 * @param {AbortSignal} signal
 * @returns {Promise<Object>}
 */
export async function loadProcess(state, span, interval_s, signal) {
	const key = JSON.stringify([state.process, state.ip, span.query]);
	if (span.settled && loaded.key === key) {
		return loaded.data;
	}
	const step = stepOf(span.length, interval_s);
	const of = [["process", state.process], ...(state.ip === "" ? [] : [["ip", state.ip]])];
	const one = state.ip !== "";
	const values = (kind, fn) =>
		get(
			"get-all-detailed",
			[
				...span.query,
				...of,
				["by", "host"],
				["resource", kinds[kind].resource],
				["timestamps", "1"],
				...(one && step === interval_s
					? []
					: [
							["step", `${step}s`],
							["fn", fn],
						]),
				...(one ? [] : [["limit", String(linesAtMost)]]),
			],
			signal
		);
	const highs = one && step > interval_s;
	const [means, transitions, forecasts, mem, cpu, memHigh, cpuHigh, read, write] = await Promise.all([
		get("get-all", [...span.query, ["by", "host"], ["process", state.process]], signal),
		get("alarms", [...span.query, ...of, ["standing", "1"]], signal),
		get("forecasts", [...of, ["explain", "1"]], signal),
		values("mem", "mean"),
		values("cpu", "mean"),
		highs ? values("mem", "max") : null,
		highs ? values("cpu", "max") : null,
		values("read", "mean"),
		values("write", "mean"),
	]);
	const series = answer =>
		Object.fromEntries(Object.entries(answer ?? {}).map(([ip, processes]) => [ip, processes[state.process] ?? []]));
	const data = {
		step,
		means,
		forecasts,
		alarms: intervals(transitions),
		kills: killsOf(transitions),
		mem: {means: series(mem), highs: memHigh && series(memHigh)},
		cpu: {means: series(cpu), highs: cpuHigh && series(cpuHigh)},
		read: {means: series(read), highs: null},
		write: {means: series(write), highs: null},
	};
	loaded = {key, data};
	return data;
}

/**
 * @param {Object} data of loadProcess
 * @param {{now: number, span: Object, names: Map<string, string>, alarms: Object[], interval_s: number}} common
 */
export function showProcess(data, common) {
	const {process, ip} = current();
	const {names, now, span} = common;
	const nameOf = address => names.get(address) ?? address;
	setText(byId("process-name"), process);
	setAttribute(byId("back"), "href", href({process: "", ip: ""}));
	const isHere = alarm => ip === "" || alarm.ip === ip;
	const isSilent = common.alarms.some(alarm => isOfHost(alarm) && isHere(alarm) && alarm.ip in data.means);
	showItsColour(
		withoutTwins(common.alarms).filter(alarm => alarm.process === process && isHere(alarm)),
		common.colour === "unknown" || isSilent ? "unknown" : "green",
		ip === "" ? "" : ` on ${nameOf(ip)}`
	);
	showItsHosts(data.means, process, ip, nameOf);

	const itsAlarms = [...data.alarms, ...data.kills].sort((a, b) => b.from - a.from);
	fill(byId("its-alarms"), JSON.stringify([itsAlarms, href({}), Math.floor(now / 60)]), () =>
		itsAlarms.length === 0
			? [element("li", {class: "faint"}, "none")]
			: itsAlarms.map(alarm => intervalItem(alarm, nameOf(alarm.ip), now, span.past ? span.to : now))
	);

	const forecasts = Object.entries(data.forecasts).flatMap(([address, processes]) =>
		Object.entries(processes[process] ?? {}).map(([resource, forecast]) => ({
			ip: address,
			host: nameOf(address),
			resource,
			forecast,
		}))
	);
	showWhy(forecasts, now);

	const point = data.step <= common.interval_s ? "a sample" : `the mean of ${duration(data.step)}`;
	const shade = data.mem.highs ? "; the shade above reaches to the highest value" : "";
	setText(byId("chart-help"), `Drag over a chart to look closer. Each point is ${point}${shade}.`);
	const aheads = span.past
		? {}
		: Object.fromEntries(resources.map(resource => [resource, aheadOf(resource, data, forecasts, common)]));
	const to = Math.max(span.to, ...Object.values(aheads).map(ahead => ahead?.to ?? 0));
	resources.forEach(resource =>
		showChart(resource, data, forecasts, {...common, to, ahead: aheads[resource] ?? null}, nameOf)
	);
}

function showItsColour(standing, otherwise, where) {
	const words = standing.map(({color, resource, missing}) => [
		color,
		missing ? "must run and does not" : resourceWords[resource],
	]);
	fill(byId("process-alarm"), JSON.stringify([where, otherwise, words]), () =>
		words.length === 0
			? [badge(otherwise), `${where} now`]
			: words.flatMap(([color, word]) => [badge(color), ` ${word}${where} now `])
	);
}

function showItsHosts(means, process, chosen, nameOf) {
	const hosts = Object.entries(means)
		.map(([ip, processes]) => [ip, ...(processes[process] ?? [null, null])])
		.sort((a, b) => (b[1] ?? -1) - (a[1] ?? -1));
	fill(byId("of-hosts"), JSON.stringify([chosen, hosts, href({})]), () => {
		const line = (link, mem, cpu, current) =>
			element(
				"tr",
				{class: current ? "chosen" : false},
				element("th", {scope: "row"}, link),
				element("td", {class: "c-number"}, mem),
				element("td", {class: "c-number"}, cpu)
			);
		const rows = hosts
			.slice(0, hostsAtMost)
			.map(([ip, mem, cpu]) =>
				line(
					element("a", {href: href({ip}), "aria-current": ip === chosen && "true"}, nameOf(ip)),
					percent(mem),
					percent(cpu),
					ip === chosen
				)
			);
		if (hosts.length > 1) {
			rows.unshift(
				line(
					element(
						"a",
						{href: href({ip: ""}), "aria-current": chosen === "" && "true"},
						`All ${counted(hosts.length, "host")}`
					),
					"",
					"",
					chosen === ""
				)
			);
		}
		return rows;
	});
	byId("of-hosts-more").hidden = hosts.length <= hostsAtMost;
	setText(byId("of-hosts-more"), `and ${counted(hosts.length - hostsAtMost, "more host")}`);
}

function showChart(resource, data, forecasts, {span, to, ahead, now, alarms, interval_s}, nameOf) {
	const {process} = current();
	const {means, highs} = data[resource];
	const ips = withValues(means);
	const {title, say, optional} = kinds[resource];
	if (optional) {
		byId(`${resource}-card`).hidden = ips.length === 0;
		if (ips.length === 0) {
			charts[resource].clear();
			return;
		}
	}
	const rows = chartRows(means, highs, ips, Math.max(data.step, interval_s));
	const standing = alarms.find(
		alarm => alarm.process === process && alarm.resource === resource && ips.includes(alarm.ip)
	);
	const forecast = forecasts.find(each => each.resource === resource && each.forecast.limit)?.forecast;
	const facts = ips.length === 1 && summary(means[ips[0]], highs?.[ips[0]] ?? means[ips[0]]);
	const sentence = facts ? summaryWords(facts, now, say) : "";
	const where = ips.length === 1 ? nameOf(ips[0]) : counted(ips.length, "host");

	readings[resource] = row =>
		showReading(resource, row === null ? null : rows[row], ips.map(nameOf), highs !== null, now, sentence, say);
	charts[resource]
		.show({
			labels: ["time", ...ips],
			rows,
			bars: highs !== null,
			from: span.from,
			to,
			limit: standing?.threshold ?? forecast?.limit ?? null,
			shades: data.alarms
				.filter(alarm => alarm.resource === resource)
				.map(alarm => ({from: alarm.from, to: alarm.to ?? Math.min(now, span.to), color: alarm.color})),
			ahead,
			title: `${title} of ${process} on ${where}${sentence && `: ${sentence}`}`,
		})
		.catch(error => setText(byId(`${resource}-reading`), error.message));
}

function summaryWords({mean, high, highAt, last}, now, say) {
	return `mean ${say(mean)}, highest ${say(high)} at ${clockTime(highAt, now, true)}, last ${say(last)}`;
}

/** The hosts that have values. */
function withValues(means) {
	return Object.keys(means).filter(ip => means[ip].length > 0);
}

/** What is forecast, where the chart is of one host, as far as it has room beside the span: a third of it. */
function aheadOf(resource, data, forecasts, {now, span}) {
	const [ip, ...others] = withValues(data[resource].means);
	const forecast = forecasts.find(each => each.ip === ip && each.resource === resource)?.forecast;
	if (!forecast || others.length > 0) {
		return null;
	}
	const [, base] = data[resource].means[ip].at(-1);
	const likely = `${Math.round(100 * forecast.probability)} % likely`;
	return {
		from: now,
		to: now + Math.min(forecast.horizon_s ?? 1800, span.length / 3),
		base,
		value: forecast.forecast,
		words: `up to ${percent(forecast.forecast)}, ${likely} to pass the limit`,
		few: likely,
	};
}

/** Says the values of a row; of none, what there is to say of all. */
function showReading(resource, row, names, bars, now, sentence, say) {
	const colours = lineColours();
	const keyOf = i => {
		const key = element("span", {class: "key", "aria-hidden": "true"});
		key.style.background = colours[i % colours.length];
		return key;
	};
	const parts = [];
	if (row) {
		parts.push(`${clockTime(row[0] / 1000, now, true)} `);
	}
	names.forEach((name, i) => {
		const value = row?.[i + 1];
		const middle = bars ? value?.[1] : value;
		if (!row || (typeof middle === "number" && !Number.isNaN(middle))) {
			const words = !row
				? ""
				: bars && value[2] > value[1]
					? ` ${say(middle)}, highest ${say(value[2])}`
					: ` ${say(middle)}`;
			parts.push(element("span", {class: "of"}, keyOf(i), `${name}${words} `));
		}
	});
	if (!row) {
		parts.push(sentence);
	}
	const reading = byId(`${resource}-reading`);
	delete reading.dataset.shown;
	reading.replaceChildren(...parts);
}
