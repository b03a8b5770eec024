/** What is said of the whole: the worst colour in the page, its title and its icon; and who is away. */
import {byId, element, fill, setAttribute, setText} from "./dom.js";
import {colourWords} from "./format.js";
import {current} from "./state.js";

/**
 * @param {string} colour of now
 * @param {boolean} away whether the server is, and the colour thus old
 */
export function showInTab(colour, away) {
	const {process} = current();
	const title = `${away ? "AWAY" : colourWords[colour]} · ${process === "" ? "" : `${process} · `}vigie`;
	if (document.title !== title) {
		document.title = title;
	}
	setAttribute(document.querySelector("link[rel=icon]"), "href", `icon-${away ? "unknown" : colour}.svg`);
}

/**
 * @param {string} colour
 * @param {string} sentence behind it
 * @param {string} [scope] likewise, but it is nothing that a screen reader is to say whenever it changes
 */
export function showColour(colour, sentence, scope = "") {
	setAttribute(byId("band"), "class", `band ${colour}`);
	setText(byId("colour"), colourWords[colour]);
	setText(byId("colour-sentence"), sentence);
	setText(byId("scope"), scope);
}

/** @param {string[]} sentences the important one first; said once each as long as they stay the same */
export function showMessages(sentences) {
	fill(byId("messages"), sentences.join("\n"), () =>
		sentences.map(sentence => element("p", {class: "message"}, sentence))
	);
}

/** @param {string} text how old the numbers are */
export function showAge(text) {
	setText(byId("updated"), text);
}
