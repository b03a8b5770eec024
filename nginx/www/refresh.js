/**
 * When the server is asked: once an interval of its collectors, a little behind the tick, when the samples and what
 * became of them are there. A page that nobody sees asks once a minute, for its title and icon. After a failure it
 * waits longer from time to time.
 */
import {now} from "./clock.js";

const behindTick = 0.6; // of an interval: by then the alert service has looked at the tick's samples
const hiddenSeconds = 60;
const backoffSeconds = [2, 4, 8, 15];

let interval = 10;
let failures = 0;
let timer = 0;
let controller = null;
let load = null;
let failed = null;

/** @param {number} seconds between two ticks */
export function setTick(seconds) {
	interval = Math.max(1, seconds);
}

/**
 * @param {function(AbortSignal): Promise<void>} loader
 * @param {function(Error): boolean} onFailure tells whether it is worth trying again by itself
 */
export function start(loader, onFailure) {
	load = loader;
	failed = onFailure;
	document.addEventListener("visibilitychange", () => {
		if (!document.hidden) {
			refresh();
		}
	});
	refresh();
}

/** Asks now, in the place of what is under way. */
export async function refresh() {
	clearTimeout(timer);
	controller?.abort();
	const mine = new AbortController();
	controller = mine;
	let delay;
	try {
		await load(mine.signal);
		failures = 0;
		delay = untilNextTick();
	} catch (error) {
		if (mine !== controller) {
			return; // another one has taken its place
		}
		if (!failed(error)) {
			return;
		}
		delay = backoffSeconds[Math.min(failures, backoffSeconds.length - 1)];
		failures++;
	}
	if (mine === controller) {
		timer = setTimeout(refresh, 1000 * (document.hidden ? Math.max(hiddenSeconds, delay) : delay));
	}
}

function untilNextTick() {
	const time = now() - behindTick * interval;
	return Math.max(0.5, (Math.floor(time / interval) + 1) * interval - time);
}
