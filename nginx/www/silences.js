/** Silences: the dialog that sets one, for who has an admin token, and the table of those that hold. */
import {act} from "./actions.js";
import {put, remove} from "./api.js";
import {now} from "./clock.js";
import {byId, element, fill, setText} from "./dom.js";
import {clockTime, duration, localInput, resourceWords} from "./format.js";
import {refresh} from "./refresh.js";

const usualSeconds = 3600;

/** Called once. */
export function startSilences() {
	const dialog = byId("silence-dialog");
	byId("silence-form").addEventListener("submit", async event => {
		event.preventDefault();
		const silence = {
			process: byId("silence-process").value,
			ip: byId("silence-ip").value,
			resource: byId("silence-resource").value,
			until: new Date(byId("silence-until").value).getTime() / 1000,
			by: byId("silence-by").value,
			comment: byId("silence-comment").value,
		};
		if (await act(() => put("silences", silence), "silence-answer", "")) {
			dialog.close();
			refresh();
		}
	});
	byId("silence-cancel").addEventListener("click", () => dialog.close());
	byId("new-silence").addEventListener("click", () => askForSilence({process: "*", ip: "*"}));
}

/** What a glob has a meaning for is itself behind a backslash. */
function literal(name) {
	return name.replace(/[*?[\]\\]/g, "\\$&");
}

/** @param {{process: string, ip: string, resource: ?string}} of the dialog begins with these globs */
function askForSilence({process, ip, resource = "*"}) {
	byId("silence-process").value = process;
	byId("silence-ip").value = ip;
	byId("silence-resource").value = resource;
	byId("silence-until").value = localInput(now() + usualSeconds);
	byId("silence-comment").value = "";
	setText(byId("silence-answer"), "");
	byId("silence-dialog").showModal();
}

/**
 * @param {import("./alarms.js").Alarm} alarm
 * @param {string} host its name
 * @returns {HTMLElement} a button that asks for a silence of it
 */
export function silenceButton({process, ip, resource, missing}, host) {
	const attributes = {type: "button", class: "quiet", "aria-label": `Silence ${process} on ${host}`};
	const button = element("button", attributes, "Silence");
	const of = process === "*" ? {process, ip} : {process: literal(process), ip, resource: missing ? "*" : resource};
	button.addEventListener("click", () => askForSilence(of));
	return button;
}

/**
 * @param {Array<Object>} silences of GET silences
 * @param {number} time now
 */
export function showSilences(silences, time) {
	byId("silences").hidden = silences.length === 0;
	byId("no-silences").hidden = silences.length > 0;
	fill(byId("silence-rows"), JSON.stringify([silences, Math.floor(time / 60)]), () =>
		silences.map(({id, process, ip, resource, until, by, comment}) => {
			const what = `the silence of ${process} on ${ip}`;
			const button = element("button", {type: "button", "aria-label": `End ${what}`}, "End");
			button.addEventListener("click", async () => {
				if (await act(() => remove(`silences/${id}`), "silences-answer", `Ended: ${what}.`)) {
					refresh();
				}
			});
			return element(
				"tr",
				{},
				element("th", {scope: "row"}, process),
				element("td", {}, ip),
				element("td", {}, resourceWords[resource] ?? resource),
				element("td", {}, `${clockTime(until, time)} (in ${duration(until - time)})`),
				element("td", {}, [by, comment].filter(text => text !== "").join(": ")),
				element("td", {}, button)
			);
		})
	);
}
