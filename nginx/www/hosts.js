/** The hosts: when each was last heard of, and what is to be known of it. */
import {byId, element, fill, setText, showMore} from "./dom.js";
import {counted, duration} from "./format.js";
import {current, go} from "./state.js";

const shownAtFirst = 12;
let showsAll = false;

/** @typedef {{ip: string, name: string, age: number, marks: string[], bad: boolean}} Host */

/**
 * @param {Object} answer of GET hosts
 * @param {number} now
 * @param {number} interval_s of the server
 * @returns {Host[]} those with a mark first, then by name
 */
export function hostsOf(answer, now, interval_s) {
	const named = new Map(); // how many hosts have a name
	for (const {hostname} of Object.values(answer)) {
		named.set(hostname, (named.get(hostname) ?? 0) + 1);
	}
	const hosts = Object.entries(answer).map(([ip, host]) => {
		const age = Math.max(0, now - host.last_seen);
		const marks = [];
		if (host.state === "stop") {
			marks.push("stopped");
		} else if (age > 3 * (host.interval_s ?? interval_s)) {
			marks.push("stale");
		}
		if (host.partial) {
			marks.push("partial"); // some processes are hidden from its collector
		}
		if (host.shared_by) {
			marks.push(`address shared by ${host.shared_by.join(", ")}`);
		}
		if (host.at_series_limit) {
			marks.push("at its limit of process names");
		}
		const name = named.get(host.hostname) > 1 ? `${host.hostname} (${ip})` : host.hostname;
		return {ip, name: host.hostname ? name : ip, age, marks, bad: marks.length > 0};
	});
	return hosts.sort((a, b) => b.bad - a.bad || a.name.localeCompare(b.name) || a.ip.localeCompare(b.ip));
}

/** @param {Host[]} hosts */
export function showHosts(hosts) {
	const chosen = current().host;
	const shown = showsAll ? hosts : hosts.slice(0, shownAtFirst);
	const signature = JSON.stringify([chosen, shown.map(({ip, name, marks}) => [ip, name, marks])]);
	fill(byId("hosts"), signature, () => shown.map(host => hostItem(host, host.ip === chosen)));
	[...byId("hosts").querySelectorAll(".age")].forEach((node, i) => setText(node, `${duration(shown[i].age)} ago`));

	showMore("hosts-more", hosts.length > shownAtFirst, showsAll, counted(hosts.length, "host"), () => {
		showsAll = !showsAll;
		showHosts(hosts);
	});

	fill(byId("filter-host"), JSON.stringify([chosen, hosts.map(({ip, name}) => [ip, name])]), () => {
		const options = hosts.map(({ip, name}) =>
			element("option", {value: ip, selected: ip === chosen}, name.includes(ip) ? name : `${name} (${ip})`)
		);
		if (chosen !== "" && !hosts.some(({ip}) => ip === chosen)) {
			options.unshift(element("option", {value: chosen, selected: true}, chosen));
		}
		return [element("option", {value: ""}, "All hosts"), ...options];
	});
}

function hostItem(host, isChosen) {
	const button = element(
		"button",
		{type: "button", class: host.bad ? "host bad" : "host", "aria-pressed": String(isChosen), title: host.ip},
		element("strong", {}, host.name),
		element("span", {class: "age faint"}),
		...host.marks.map(mark => element("span", {class: "mark"}, mark))
	);
	button.addEventListener("click", () => go({host: isChosen ? "" : host.ip}));
	return element("li", {}, button);
}
