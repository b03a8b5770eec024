/** Why the forecast service expects what it expects, as `vigie-forecast explain` says it. */
import {byId, element, fill} from "./dom.js";
import {clockTime, duration, percent, resourceWords, round} from "./format.js";

/**
 * @param {Array<{host: string, resource: string, forecast: Object}>} forecasts of GET forecasts?explain=1
 * @param {number} now
 */
export function showWhy(forecasts, now) {
	const minute = Math.floor(now / 60); // "in 5 min" need not be truer
	fill(byId("why"), JSON.stringify([forecasts, minute]), () =>
		forecasts.length === 0
			? [element("p", {class: "faint"}, "No forecast: it is far from its limit, or too new.")]
			: forecasts.flatMap(({host, resource, forecast}) => explained(host, resource, forecast, now))
	);
}

function explained(host, resource, {probability, forecast, expected_at, full_at, limit, horizon_s, why}, now) {
	const over = limit ? `over ${round(limit)}` : "over its limit";
	const within = horizon_s ? ` within ${duration(horizon_s)}` : "";
	const likely = `${Math.round(100 * probability)} % likely to go ${over}${within}`;
	const sentences = [`${likely}; the highest value expected is ${percent(forecast)}.`];
	if (expected_at) {
		sentences.push(`Expected at ${clockTime(expected_at, now)}.`);
	}
	if (full_at) {
		sentences.push(`At this pace at its limit ${clockTime(full_at, now)}, in ${duration(full_at - now)}.`);
	}
	if (typeof why?.climb === "number") {
		sentences.push(`It climbs steadily, which alone makes it ${Math.round(100 * why.climb)} % likely.`);
	}
	const nodes = [
		element("h3", {}, `${resourceWords[resource][0].toUpperCase()}${resourceWords[resource].slice(1)} on ${host}`),
		element("p", {}, sentences.join(" ")),
	];
	if (why?.parts?.length > 0) {
		nodes.push(
			element("p", {class: "faint"}, "What moved it most:"),
			element("ul", {class: "parts"}, ...why.parts.map(part))
		);
	} else if (why) {
		nodes.push(element("p", {class: "faint"}, "It has never changed, so that nothing moved it."));
	}
	return nodes;
}

function part({log_odds, value, meaning}) {
	const effect = `${log_odds < 0 ? "−" : "+"}${Math.abs(log_odds).toFixed(2)}`;
	return element(
		"li",
		{},
		element("span", {class: log_odds < 0 ? "number down" : "number up", title: "log-odds"}, effect),
		element("span", {}, `${meaning} (${Number(value.toPrecision(3))})`)
	);
}
