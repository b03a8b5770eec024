/**
 * The dialog that asks for a token. It is kept in memory alone (api.js), and asked for again by a page that is loaded
 * anew.
 */
import {setToken} from "./api.js";
import {byId, setText} from "./dom.js";

const titles = {read: "Read token", admin: "Admin token"};
let answer = null;

/**
 * @param {"read"|"admin"} right
 * @param {string} why
 * @returns {Promise<boolean>} whether one was given; false, too, where the dialog is open already
 */
export function askForToken(right, why) {
	const dialog = byId("token-dialog");
	if (dialog.open) {
		return Promise.resolve(false);
	}
	setText(byId("token-title"), titles[right]);
	setText(byId("token-why"), why);
	byId("token").value = "";
	dialog.showModal();
	byId("token").focus();
	return new Promise(resolve => {
		answer = given => {
			const token = byId("token").value.trim();
			if (given && token !== "") {
				setToken(right, token);
			}
			byId("token").value = "";
			answer = null;
			dialog.close();
			resolve(given && token !== "");
		};
	});
}

/** Called once. */
export function startTokens() {
	byId("token-form").addEventListener("submit", event => {
		event.preventDefault();
		answer?.(true);
	});
	byId("token-cancel").addEventListener("click", () => answer?.(false));
	byId("token-dialog").addEventListener("close", event => {
		// By Escape; of a dialog that is open again it is told late.
		if (!event.target.open) {
			answer?.(false);
		}
	});
}
