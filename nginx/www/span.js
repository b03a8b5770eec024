/** The controls of the span: windows that end now, and any span that is past. */
import {now} from "./clock.js";
import {byId, element, fill, setText} from "./dom.js";
import {localInput, spanWords} from "./format.js";
import {current, go, spanOf, timeText} from "./state.js";

const windows = [
	["5m", "5 min", 300],
	["15m", "15 min", 900],
	["1h", "1 h", 3600],
	["6h", "6 h", 21600],
	["24h", "24 h", 86400],
	["2d", "2 d", 172800],
	["7d", "7 d", 604800],
	["30d", "30 d", 2592000],
	["365d", "1 y", 31536000],
];
const aroundSeconds = 300; // of a moment, on both sides
const shortestSeconds = 30;

let retention = 172800;

/**
 * Shows a past span, as far as the server keeps it and not beyond now.
 * @param {number} from
 * @param {number} to
 */
export function goTo(from, to) {
	const latest = now();
	const end = Math.min(to, latest);
	const oldest = latest - retention + 60; // it gets older until it is asked for
	const start = Math.min(from, end - shortestSeconds);
	// Of what is not kept at all the server says so.
	go({from: timeText(end > oldest ? Math.max(start, Math.min(oldest, end - 1)) : start), to: timeText(end)});
}

/** @returns {number} 03:00 of this machine's time zone, when it was last */
function lastNight() {
	const date = new Date(now() * 1000);
	date.setHours(3, 0, 0, 0);
	if (date.getTime() / 1000 > now()) {
		date.setDate(date.getDate() - 1);
	}
	return date.getTime() / 1000;
}

function move(how) {
	const {from, to, length} = spanOf(current(), now());
	switch (how) {
		case "earlier":
			return goTo(from - length, from);
		case "later":
			return to + length >= now() ? goTo(now() - length, now()) : goTo(to, to + length);
		case "wider":
			return goTo(from - length / 2, to + length / 2);
		case "narrower":
			return goTo(from + length / 4, to - length / 4);
		default:
			return go({from: "", to: ""});
	}
}

/**
 * What a field says. One that was left alone says what is shown: its words are of two times where a clock was put back.
 * @param {"from"|"to"} id
 * @returns {number} NaN where it says nothing
 */
function typed(id) {
	const span = spanOf(current(), now()),
		time = Date.parse(byId(id).value);
	return span.past && time === Date.parse(localInput(span[id])) ? span[id] : time / 1000;
}

/** Called once. */
export function startSpan() {
	byId("other-time").open = matchMedia("(min-width: 66rem)").matches;
	byId("last-night").addEventListener("click", () => goTo(lastNight() - aroundSeconds, lastNight() + aroundSeconds));
	byId("moment").addEventListener("submit", event => {
		event.preventDefault();
		const [from, to] = ["from", "to"].map(typed);
		if (Number.isNaN(from) && Number.isNaN(to)) {
			byId("from").focus();
		} else if (Number.isNaN(to)) {
			goTo(from - aroundSeconds, from + aroundSeconds); // a moment
		} else if (Number.isNaN(from)) {
			goTo(to - 2 * aroundSeconds, to);
		} else {
			goTo(Math.min(from, to), Math.max(from, to));
		}
	});
	for (const button of document.querySelectorAll("[data-move]")) {
		button.addEventListener("click", () => move(button.dataset.move));
	}
}

/** @param {number} seconds that the server keeps samples */
export function setRetention(seconds) {
	retention = seconds;
}

/** @returns {number} */
export function retentionSeconds() {
	return retention;
}

/** Shows the span of the present state. */
export function showSpan() {
	const {past, from, to} = spanOf(current(), now());
	const chosen = past ? "" : current().window;
	fill(byId("windows"), `${retention} ${chosen}`, () =>
		windows
			.filter(([, , seconds]) => seconds <= retention)
			.map(([window, words]) => {
				const button = element("button", {type: "button", "aria-pressed": String(window === chosen)}, words);
				button.addEventListener("click", () => go({window, from: "", to: ""}));
				return button;
			})
	);
	byId("last-night").hidden = lastNight() - aroundSeconds < now() - retention;
	byId("past").hidden = !past;
	if (past) {
		setText(byId("past-span"), spanWords(from, to, now()));
	}
	const shown = past ? `${from} ${to}` : "";
	if (byId("moment").dataset.shown !== shown) {
		// what is being typed stays
		byId("moment").dataset.shown = shown;
		byId("from").value = past ? localInput(from) : "";
		byId("to").value = past ? localInput(to) : "";
	}
}
