/**
 * The table of processes. Of thousands of rows those near the view alone are elements, which are filled anew as the
 * page scrolls and refreshes; the table says how many rows there are in truth. Rows are all of one height.
 */
import {byId, element, setAttribute, setText} from "./dom.js";
import {colourWords, percent} from "./format.js";
import {current, go, href} from "./state.js";
import {pathOf} from "./sparkline.js";

const extraRows = 8; // above and below the view

let rows = [];
let views = []; // the elements of the rows that are in the document, in their order
let first = 0; // the row that the first of them shows
let height = 38;
let highest = {mem: 1, cpu: 1};
let active = ""; // the key of the row that the arrows are on
let settled = () => {};
let settleTimer = 0;

/** @param {function(): void} onSettled called a moment after other rows have come into view */
export function startTable(onSettled) {
	settled = onSettled;
	let asked = false;
	const later = () => {
		if (!asked) {
			asked = true;
			requestAnimationFrame(() => {
				asked = false;
				draw();
			});
		}
	};
	addEventListener("scroll", later, {passive: true});
	addEventListener("resize", later);
	for (const head of document.querySelectorAll("#processes th[data-sort]")) {
		head.addEventListener("click", () => sortBy(head.dataset.sort));
	}
}

function sortBy(sort) {
	const {sort: old, order} = current();
	const usual = sort === "process" || sort === "host" ? "asc" : "desc";
	go({sort, order: sort === old ? (order === "asc" ? "desc" : "asc") : usual}, true);
}

/**
 * @param {import("./processes.js").Row[]} chosen in their order
 */
export function showRows(chosen) {
	rows = chosen;
	highest = {mem: 1e-9, cpu: 1e-9};
	for (const {mem, cpu} of rows) {
		highest.mem = Math.max(highest.mem, mem ?? 0);
		highest.cpu = Math.max(highest.cpu, cpu ?? 0);
	}
	setAttribute(byId("processes"), "aria-rowcount", rows.length + 1);
	const {sort, order} = current();
	for (const head of document.querySelectorAll("#processes th[data-sort]")) {
		setAttribute(head, "aria-sort", head.dataset.sort === sort ? `${order}ending` : false);
	}
	draw();
	settleSoon();
}

/** @returns {import("./processes.js").Row[]} those that are elements now */
export function rowsInView() {
	return rows.slice(first, first + views.length);
}

/** Draws the curves that have come in. */
export function drawCurves() {
	views.forEach(view => setAttribute(view.path, "d", pathOf(view.key)));
}

function draw() {
	if (byId("overview").hidden) {
		return;
	}
	height = views[0]?.row.getBoundingClientRect().height || height;
	const top = byId("space-before").getBoundingClientRect().top;
	const start = Math.max(0, Math.min(rows.length, Math.floor(-top / height) - extraRows));
	const count = Math.min(rows.length - start, Math.ceil(innerHeight / height) + 2 * extraRows);
	const moved = start !== first || count !== views.length;
	const hadFocus = hasFocus();
	first = start;
	while (views.length < count) {
		views.push(makeView());
		byId("rows").append(views.at(-1).row);
	}
	while (views.length > count) {
		views.pop().row.remove();
	}
	views.forEach((view, i) => fillView(view, rows[first + i], first + i));
	space("space-before", first);
	space("space-behind", rows.length - first - count);
	if (hadFocus) {
		// The element that had it may be another row's now, which Enter is not to open.
		(views.find(view => view.key === active)?.link ?? byId("processes")).focus({preventScroll: true});
	}
	if (moved) {
		settleSoon();
	}
}

/** Whether the focus is on a row, or was on one that is out of the view. */
function hasFocus() {
	return document.activeElement === byId("processes") || byId("rows").contains(document.activeElement);
}

function settleSoon() {
	clearTimeout(settleTimer);
	settleTimer = setTimeout(settled, 150);
}

function space(id, count) {
	byId(id).rows[0].cells[0].style.height = `${count * height}px`;
}

function makeView() {
	const link = element("a");
	const mem = number("mem"),
		cpu = number("cpu");
	const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
	const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
	for (const [name, value] of [
		["viewBox", "0 0 120 24"],
		["preserveAspectRatio", "none"],
		["aria-hidden", "true"],
	]) {
		svg.setAttribute(name, value);
	}
	svg.append(path);
	const colour = element("span", {class: "badge"}),
		host = element("span");
	// On a small screen, in the place of columns.
	const below = {colour: element("span", {class: "badge"}), host: element("span")};
	const row = element(
		"tr",
		{},
		element("td", {class: "c-colour"}, colour),
		element("td", {class: "c-process"}, link, element("span", {class: "below"}, below.colour, below.host)),
		element("td", {class: "c-host"}, host),
		mem.cell,
		cpu.cell,
		element("td", {class: "c-trend"}, svg)
	);
	const view = {row, link, colour, host, below, mem, cpu, path, key: ""};
	link.addEventListener("focus", () => {
		active = view.key;
	});
	row.addEventListener("click", event => {
		if (event.target !== link && getSelection().isCollapsed) {
			link.click();
		}
	});
	return view;
}

function number(name) {
	const text = element("span", {class: "number"}),
		bar = element("span", {class: `bar ${name}`, "aria-hidden": "true"});
	return {cell: element("td", {class: "c-number"}, text, element("span", {class: "track"}, bar)), text, bar};
}

function fillView(view, row, index) {
	view.key = row.key;
	setAttribute(view.row, "aria-rowindex", index + 2);
	setText(view.link, row.process);
	setAttribute(view.link, "href", href({process: row.process, ip: row.ip}));
	setAttribute(view.link, "title", row.process);
	setText(view.host, row.host);
	setAttribute(view.host, "title", row.ip);
	for (const colour of [view.colour, view.below.colour]) {
		setText(colour, colourWords[row.color]);
		setAttribute(colour, "class", `badge ${row.color}`);
	}
	setText(view.below.host, row.host);
	for (const name of ["mem", "cpu"]) {
		setText(view[name].text, percent(row[name]));
		view[name].bar.style.width = `${(100 * (row[name] ?? 0)) / highest[name]}%`;
	}
	setAttribute(view.path, "d", pathOf(row.key));
}

/**
 * Moves to another row, and the view with it.
 * @param {"ArrowUp"|"ArrowDown"|"Home"|"End"|"PageUp"|"PageDown"} key
 */
export function walk(key) {
	if (rows.length === 0) {
		return;
	}
	const old = hasFocus() ? rows.findIndex(row => row.key === active) : -1;
	const page = Math.max(1, Math.floor(innerHeight / height) - 2);
	const target = {
		ArrowUp: old - 1,
		ArrowDown: old + 1,
		PageUp: old - page,
		PageDown: old + page,
		Home: 0,
		End: rows.length - 1,
	}[key];
	goToRow(Math.min(rows.length - 1, Math.max(0, target)));
}

/** Goes to the row that the arrows were on, where it is still there. */
export function focusActive() {
	const index = rows.findIndex(row => row.key === active);
	if (index >= 0) {
		goToRow(index);
	}
}

function goToRow(index) {
	active = rows[index].key;
	const top = byId("space-before").getBoundingClientRect().top;
	const head = byId("processes").tHead.getBoundingClientRect().height;
	const y = top + index * height;
	if (y < head) {
		scrollBy({top: y - head, behavior: "instant"});
	} else if (y + height > innerHeight) {
		scrollBy({top: y + height - innerHeight, behavior: "instant"});
	}
	draw();
	views.find(view => view.key === active)?.link.focus({preventScroll: true});
}
