/**
 * Elements are made and filled here, always by text: what a process is called never becomes markup, and no attribute
 * `style` is set, which the Content-Security-Policy refuses.
 */

/**
 * @param {string} id of an element of index.html
 * @returns {HTMLElement}
 */
export function byId(id) {
	return document.getElementById(id);
}

/**
 * @param {string} tag
 * @param {Object<string, string|number|boolean>} [attributes] false leaves one out, true sets it empty
 * @param {...(Node|string)} children strings become text
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		setAttribute(node, name, value);
	}
	node.append(...children);
	return node;
}

/**
 * Sets what differs alone, so that a refresh costs nothing where nothing has changed.
 * @param {Element} node
 * @param {string} name
 * @param {string|number|boolean} value
 */
export function setAttribute(node, name, value) {
	if (value === false) {
		node.removeAttribute(name);
	} else if (node.getAttribute(name) !== String(value === true ? "" : value)) {
		node.setAttribute(name, value === true ? "" : value);
	}
}

/**
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
	if (node.textContent !== text) {
		node.textContent = text;
	}
}

/**
 * The button below a list that is not shown whole.
 * @param {string} id
 * @param {boolean} isLong whether there is more than is shown at first
 * @param {boolean} showsAll
 * @param {string} all like "30 hosts"
 * @param {function()} toggle
 */
export function showMore(id, isLong, showsAll, all, toggle) {
	const button = byId(id);
	button.hidden = !isLong;
	setText(button, showsAll ? "Show fewer" : `Show all ${all}`);
	button.onclick = toggle;
}

let pressed = null; // what the pointer holds down, which is not to go away before it is a click
document.addEventListener("pointerdown", event => {
	pressed = event.target;
});
for (const end of ["pointerup", "pointercancel"]) {
	document.addEventListener(end, () => {
		pressed = null;
	});
}

/**
 * Replaces the children of a list, unless they would read the same.
 * @param {Element} list
 * @param {string} signature of what is shown
 * @param {function(): Node[]} make
 */
export function fill(list, signature, make) {
	if (list.dataset.shown !== signature && !list.contains(pressed)) {
		const focused = list.contains(document.activeElement)
			? [...list.querySelectorAll("a, button")].indexOf(document.activeElement)
			: -1;
		list.replaceChildren(...make());
		list.dataset.shown = signature;
		if (focused >= 0) {
			list.querySelectorAll("a, button")[focused]?.focus({preventScroll: true});
		}
	}
}
