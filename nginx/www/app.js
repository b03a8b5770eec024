/** The page: what is asked for at each tick, which view shows it, and what is said when somebody is away. */
import {showServices} from "./actions.js";
import {ApiError, get} from "./api.js";
import {now, setServerTime} from "./clock.js";
import {byId, setAttribute, setText} from "./dom.js";
import {clockTime, colourWords, duration} from "./format.js";
import {hostsOf, showHosts} from "./hosts.js";
import {startKeys} from "./keys.js";
import {loadOverview, showNoOverview, showOverview, showTable, startOverview} from "./overview.js";
import {leaveProcess, loadProcess, showProcess, startProcess} from "./process.js";
import {refresh, setTick, start} from "./refresh.js";
import {showSilences, startSilences} from "./silences.js";
import {setRetention, showSpan, startSpan} from "./span.js";
import {current, href, onChange, spanOf} from "./state.js";
import {showAge, showColour, showInTab, showMessages} from "./status.js";
import {focusActive} from "./table.js";
import {askForToken, startTokens} from "./token.js";

let last = null; // {time, colour, messages, hosts} of the newest answers
let awaySince = 0; // 0: the server is there
let scrolled = 0; // where the overview was left
let viewShown = "";

function viewOf({process, view}) {
	return process !== "" ? "process" : view === "services" ? "services" : "overview";
}

/** What a refresh does. */
async function load(signal) {
	const [health, alarm] = await Promise.all([
		get("health", [], signal),
		get("query-alarm", [["explain", "1"]], signal),
	]);
	const colour = alarm.color;
	// An earlier server does not say these.
	const {time = Date.now() / 1000, interval_s = 10, retention_s = 172800} = health;
	setServerTime(time);
	setTick(interval_s);
	setRetention(retention_s);
	showInTab(colour, false);
	if (document.hidden && last) {
		return;
	}
	const state = current(),
		view = viewOf(state),
		span = spanOf(state, now());
	const [hostsAnswer, data] = await Promise.all([
		get("hosts", [], signal),
		view === "process"
			? loadProcess(state, span, interval_s, signal)
			: view === "services"
				? Promise.all([get("services", [], signal), get("silences", [], signal)])
				: loadOverview(span, now(), signal),
	]);

	performance.clearMeasures("vigie-refresh");
	const begin = performance.now();
	const hosts = hostsOf(hostsAnswer, now(), interval_s);
	const names = new Map(hosts.map(({ip, name}) => [ip, name]));
	const common = {now: now(), span, names, hosts, colour, alarms: alarm.alarms, interval_s};
	awaySince = 0;
	last = {time: now(), colour, hosts, messages: messagesOf(health)};
	document.body.classList.remove("away", "loading");
	byId("enter-token").hidden = true;
	showMessages(last.messages);
	showSpan();
	if (view === "process") {
		showProcess(data, common);
	} else if (view === "services") {
		showServices(data[0], now(), refresh);
		showSilences(data[1], now());
	} else {
		showOverview(data, common);
	}
	tellAge();
	performance.measure("vigie-refresh", {start: begin}); // for who profiles it; the newest alone is kept
}

function messagesOf({alert, forecast, store}) {
	const messages = [];
	for (const [name, {status, last_report}, loss] of [
		["alert", alert, "nobody raises alarms, and colours are unknown"],
		["forecast", forecast, "nothing is expected of any process"],
	]) {
		const since = last_report ? ` since ${clockTime(last_report, now(), true)}` : " (it has not reported yet)";
		if (status === "stopped") {
			messages.push(`The ${name} service is stopped: ${loss}.`);
		} else if (status !== "ok") {
			messages.push(`The ${name} service is away${since}: ${loss}.`);
		}
	}
	if (store.status !== "ok") {
		messages.push("The store does not work: samples are not kept now.");
	}
	return messages;
}

/** What is shown when a refresh has failed. Gives whether another try is worth it. */
function failed(error) {
	document.body.classList.remove("loading");
	if (!(error instanceof ApiError)) {
		// our own
		reportError(error);
		showMessages([`The page itself has failed: ${error.message}. What is shown may be old.`]);
		return true;
	}
	if (error.status === 401 || error.status === 403) {
		showInTab("unknown", false);
		showMessages([`The server wants a read token: ${error.message}.`]);
		byId("enter-token").hidden = false;
		enterToken(error.message);
		return false;
	}
	if (error.status >= 400 && error.status < 500) {
		// What was asked for, not who was asked; or a front that is busy, or starts: it is asked for again.
		awaySince = 0;
		document.body.classList.remove("away");
		showMessages([`The server refuses this: ${error.message}.`, ...(last?.messages ?? [])]);
		showSpan();
		if (viewShown === "overview") {
			showNoOverview(last?.hosts ?? []);
		} else if (viewShown === "process") {
			leaveProcess();
		}
		return true;
	}
	awaySince ||= now();
	document.body.classList.add("away");
	const old = last ? ` What is shown is of ${clockTime(last.time, now(), true)}.` : "";
	showMessages([`The server is away since ${clockTime(awaySince, now(), true)}: ${error.message}.${old}`]);
	showInTab("unknown", true);
	showColour(
		"unknown",
		last
			? `the server is away; it was ${colourWords[last.colour]} at ${clockTime(last.time, now(), true)}`
			: "the server is away"
	);
	tellAge();
	return true;
}

async function enterToken(why) {
	if (await askForToken("read", why)) {
		refresh();
	}
}

function tellAge() {
	if (last) {
		const age = now() - last.time;
		showAge(age < 2 ? "Updated just now" : `Updated ${duration(age)} ago`);
	}
}

/** Shows the view of the present state, and leaves the one before. */
function showView() {
	const state = current(),
		view = viewOf(state);
	setAttribute(byId("to-overview"), "href", href({view: "", process: "", ip: ""}));
	setAttribute(byId("to-services"), "href", href({view: "services", process: "", ip: ""}));
	setAttribute(byId("to-overview"), "aria-current", view === "overview" && "page");
	setAttribute(byId("to-services"), "aria-current", view === "services" && "page");
	if (view === "process") {
		setText(byId("process-name"), state.process);
	}
	if (view === viewShown) {
		return;
	}
	if (viewShown === "overview") {
		scrolled = scrollY;
	} else if (viewShown === "process") {
		leaveProcess();
	}
	for (const each of ["overview", "process", "services"]) {
		byId(each).hidden = each !== view;
	}
	byId("span").hidden = view === "services";
	const isFirst = viewShown === "";
	viewShown = view;
	if (isFirst) {
		return;
	}
	scrollTo({top: view === "overview" ? scrolled : 0, behavior: "instant"});
	if (view === "process") {
		byId("process-name").focus({preventScroll: true});
	}
}

onChange((state, before) => {
	const wasOverview = viewOf(before) === "overview";
	showView();
	showSpan();
	if (["view", "process", "ip", "window", "from", "to"].some(name => state[name] !== before[name])) {
		document.body.classList.add("loading");
		refresh();
	}
	if (viewShown === "overview" && last) {
		showHosts(last.hosts);
		showTable();
		if (!wasOverview) {
			focusActive();
		}
	}
});

history.scrollRestoration = "manual";
startTokens();
startSpan();
startSilences();
startOverview();
startProcess();
startKeys();
byId("enter-token").addEventListener("click", () =>
	enterToken("What is read here takes a token of [server] read_tokens.")
);
setText(byId("zone"), Intl.DateTimeFormat().resolvedOptions().timeZone);
showView();
showSpan();
setInterval(tellAge, 1000);
start(load, failed);
