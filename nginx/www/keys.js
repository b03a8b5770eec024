/** Keys: / filters, arrows walk through the table, Enter opens (the row is a link), Escape goes back. */
import {byId} from "./dom.js";
import {current, go} from "./state.js";
import {walk} from "./table.js";

const walking = ["ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];

/** Called once. */
export function startKeys() {
	document.addEventListener("keydown", event => {
		if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) {
			return;
		}
		const {key, target} = event;
		const typing = target.closest("input, select, textarea") !== null;
		if (key === "Escape") {
			back(target);
		} else if (!byId("overview").hidden && key === "/" && !typing) {
			event.preventDefault();
			byId("filter").focus();
			byId("filter").select();
		} else if (!byId("overview").hidden && walking.includes(key) && isWalk(key, target, typing)) {
			event.preventDefault();
			walk(key);
		}
	});
}

/** Up and down where nothing else takes them, and down from the filter; the other keys of who is in the table. */
function isWalk(key, target, typing) {
	return (
		byId("rows").contains(target) ||
		target === byId("processes") ||
		(key.startsWith("Arrow") && !typing) ||
		(key === "ArrowDown" && target === byId("filter"))
	);
}

/** Out of the process, or the services; in the overview the filters are taken away. */
function back(target) {
	const {process, view, q, host, color} = current();
	if (process !== "" || view !== "") {
		go({process: "", ip: "", view: ""});
	} else if (q !== "" || host !== "" || color !== "") {
		byId("filter").value = "";
		go({q: "", host: "", color: ""});
	} else {
		target.blur?.();
	}
}
