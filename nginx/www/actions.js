/** What changes something on the server, and so takes an admin token; services are started and stopped. */
import {hasToken, post, setToken} from "./api.js";
import {byId, element, fill, setText} from "./dom.js";
import {duration} from "./format.js";
import {askForToken} from "./token.js";

/**
 * Changes something, with a token that is asked for where there is none; says in the page what came of it.
 * @param {function(): Promise<*>} change of api.js
 * @param {string} answer the id of what says it
 * @param {string} done the sentence once it is
 * @returns {Promise<boolean>} whether it is
 */
export async function act(change, answer, done) {
	if (
		!hasToken("admin") &&
		!(await askForToken("admin", "What changes something takes a token of [server] admin_tokens."))
	) {
		return false;
	}
	try {
		await change();
		setText(byId(answer), done);
		return true;
	} catch (error) {
		if (error.status === 401 || error.status === 403) {
			setToken("admin", "");
		}
		setText(byId(answer), `Refused: ${error.message}`);
		return false;
	}
}

/**
 * @param {Object} services of GET services
 * @param {number} now
 * @param {function()} changed called when a wish is another one
 */
export function showServices({collector, alert, forecast}, now, changed) {
	const lines = [
		{name: "alert service", path: "alert", query: [], ...alert},
		{name: "forecast service", path: "forecast", query: [], ...forecast},
		{name: "all collectors", path: "collector", query: [], wish: collector.wish, state: "", last_report: null},
		...Object.entries(collector.hosts).map(([ip, host]) => ({
			name: `collector of ${host.hostname ? `${host.hostname} (${ip})` : ip}`, // one name may be of several
			path: "collector",
			query: [["ip", ip]],
			...host,
		})),
	];
	const body = byId("service-rows");
	fill(body, JSON.stringify(lines.map(({name, wish, state}) => [name, wish, state])), () =>
		lines.map(line => {
			const verb = line.wish === "stop" ? "start" : "stop";
			const word = verb === "stop" ? "Stop" : "Start";
			const button = element("button", {type: "button", "aria-label": `${word} ${line.name}`}, word);
			button.addEventListener("click", async () => {
				const change = () => post(`services/${line.path}/${verb}`, line.query);
				if (await act(change, "service-answer", `Asked to ${verb}: ${line.name}.`)) {
					changed();
				}
			});
			return element(
				"tr",
				{},
				element("th", {scope: "row"}, line.name),
				element("td", {}, stateWords(line.state)),
				element("td", {}, line.wish),
				element("td", {class: "age"}),
				element("td", {}, button)
			);
		})
	);
	[...body.querySelectorAll(".age")].forEach((node, i) =>
		setText(node, lines[i].last_report ? `${duration(now - lines[i].last_report)} ago` : "–")
	);
}

function stateWords(state) {
	return {"": "–", run: "runs", stop: "stopped", unknown: "silent", unsupported: "reports"}[state] ?? state;
}
