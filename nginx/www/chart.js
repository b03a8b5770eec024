/**
 * A chart of one resource over time, drawn by dygraphs (of Debian's libjs-dygraphs): lines of hosts, and
 * under them the alarms of the time, the limit and what is forecast. dygraphs' legend is left out, since it sets
 * attributes `style`, which the Content-Security-Policy refuses; a reading beside the chart says the values instead.
 */
import {element} from "./dom.js";

/**
 * @typedef {{from: number, to: number, color: string}} Shade
 * @typedef {{from: number, to: number, base: number, value: number, words: string, few: string}} Ahead `few` is what a
 *   small screen has room for
 * @typedef {{labels: string[], rows: Array<[Date, ...*]>, bars: boolean, from: number, to: number, limit: ?number,
 *   shades: Shade[], ahead: ?Ahead, title: string}} ChartData labels[0] is that of the time; with bars a value is
 *   [low, value, high]
 */

let library = null;

function loadLibrary() {
	library ??= new Promise((resolve, reject) => {
		const script = element("script", {src: "dygraphs/dygraph.min.js"});
		script.onload = () => {
			const {Dygraph} = window;
			Dygraph.PLUGINS = [Dygraph.Plugins.Axes, Dygraph.Plugins.Grid];
			resolve(Dygraph);
		};
		script.onerror = () => {
			library = null;
			script.remove();
			reject(new Error("the charts cannot be loaded: is libjs-dygraphs installed on the server?"));
		};
		document.head.append(script);
	});
	return library;
}

/** @param {string} name of a custom property of style.css */
function themed(name) {
	return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** @returns {string[]} of as many lines as a chart has */
export function lineColours() {
	return [1, 2, 3, 4, 5, 6, 7, 8].map(i => themed(`--line-${i}`));
}

/**
 * @param {HTMLElement} node that is to be filled
 * @param {function(number, number)} onZoom called with the seconds of a span that is to be shown
 * @param {function(?number)} onRead called with the index of the row that is pointed at, null for none
 * @param {{mark: function(number): string, width: number, binary: boolean}} axis what it says of a value, how wide that
 *   may be, and whether its marks are at powers of 2
 */
export function makeChart(node, onZoom, onRead, {mark, width, binary}) {
	let graph = null;
	let data = null;
	let shape = "";
	let shown = 0;

	/** @param {ChartData} next */
	async function show(next) {
		const turn = ++shown;
		const Dygraph = await loadLibrary();
		if (turn !== shown) {
			return;
		}
		data = next;
		node.setAttribute("aria-label", data.title);
		if (data.rows.length === 0) {
			clear();
			node.append(element("p", {class: "nothing"}, "No samples in this span"));
			onRead(null);
			return;
		}
		const options = {
			file: data.rows,
			dateWindow: [data.from * 1000, data.to * 1000],
			valueRange: [0, top()],
			...theme(),
		};
		const nextShape = JSON.stringify([data.labels, data.bars]);
		if (graph && shape === nextShape) {
			const selected = graph.getSelection();
			graph.updateOptions(options);
			const kept = selected >= 0 && selected < data.rows.length;
			if (kept) {
				graph.setSelection(selected);
			}
			onRead(kept ? selected : null);
			return;
		}
		clear();
		shape = nextShape;
		graph = new Dygraph(node, data.rows, {
			...options,
			file: undefined,
			labels: data.labels,
			customBars: data.bars,
			connectSeparatedPoints: true,
			strokeWidth: 1.6,
			fillAlpha: 0.25,
			axisLabelFontSize: 12,
			labelsKMB: false,
			highlightCircleSize: 3.5,
			axes: {
				y: {axisLabelWidth: width, axisLabelFormatter: value => mark(value), labelsKMG2: binary},
				x: {axisLabelWidth: 64},
			},
			interactionModel: {mousedown: Dygraph.defaultInteractionModel.mousedown, willDestroyContextMyself: true},
			underlayCallback: drawUnder,
			zoomCallback: (from, to) => {
				if (Math.abs(from / 1000 - data.from) + Math.abs(to / 1000 - data.to) > 1) {
					onZoom(from / 1000, to / 1000);
				} else {
					graph.updateOptions({valueRange: [0, top()]}); // dragged up or down
				}
			},
			highlightCallback: (event, x, points, row) => onRead(row),
			unhighlightCallback: () => onRead(null),
		});
		onRead(null);
	}

	function theme() {
		return {colors: lineColours(), gridLineColor: themed("--grid"), axisLineColor: themed("--line")};
	}

	/** The limit belongs into the picture where it is near, or where there is something to say of it. */
	function top() {
		let highest = data.ahead ? data.ahead.value : 0;
		for (const [, ...values] of data.rows) {
			for (const value of values) {
				const high = data.bars ? value[2] : value;
				highest = high > highest ? high : highest;
			}
		}
		if (data.limit !== null && (highest > data.limit / 4 || data.shades.length > 0)) {
			highest = Math.max(highest, data.limit);
		}
		return highest > 0 ? highest * 1.12 : 1;
	}

	function drawUnder(context, area, of) {
		context.save();
		context.beginPath();
		context.rect(area.x, area.y, area.w, area.h);
		context.clip();
		for (const {from, to, color} of data.shades) {
			const left = of.toDomXCoord(from * 1000);
			context.globalAlpha = 0.16;
			context.fillStyle = themed(`--${color}`);
			context.fillRect(left, area.y, Math.max(2, of.toDomXCoord(to * 1000) - left), area.h);
		}
		context.globalAlpha = 1;
		context.font = "12px system-ui, sans-serif";
		if (data.limit !== null) {
			drawLimit(context, area, of.toDomYCoord(data.limit));
		}
		if (data.ahead) {
			drawAhead(context, area, of, data.ahead);
		}
		context.restore();
	}

	function drawLimit(context, area, y) {
		context.strokeStyle = context.fillStyle = themed("--red-text");
		if (y >= area.y) {
			context.beginPath();
			context.moveTo(area.x, y);
			context.lineTo(area.x + area.w, y);
			context.stroke();
			context.fillText(`limit ${mark(data.limit)}`, area.x + 6, y - 5);
		} else {
			context.fillText(`limit ${mark(data.limit)} ↑`, area.x + 6, area.y + 12);
		}
	}

	function drawAhead(context, area, of, {from, to, base, value, words, few}) {
		const left = of.toDomXCoord(from * 1000),
			right = of.toDomXCoord(to * 1000);
		const high = of.toDomYCoord(Math.max(base, value)),
			low = of.toDomYCoord(Math.min(base, value));
		context.fillStyle = context.strokeStyle = themed("--orange");
		context.globalAlpha = 0.18;
		context.fillRect(left, high, right - left, Math.max(2, low - high));
		context.globalAlpha = 1;
		context.setLineDash([5, 4]);
		context.strokeRect(left, high, right - left, Math.max(2, low - high));
		context.setLineDash([]);
		context.fillStyle = themed("--text");
		context.textAlign = "right";
		context.fillText(
			area.w < 500 ? few : words,
			Math.min(right, area.x + area.w) - 5,
			Math.min(area.y + area.h - 5, low + 15)
		);
		context.textAlign = "left";
	}

	function clear() {
		graph?.destroy();
		graph = null;
		node.replaceChildren();
	}

	/** Draws anew in the colours of now. */
	function restyle() {
		graph?.updateOptions(theme());
	}

	node.tabIndex = 0;
	node.setAttribute("role", "img");
	node.addEventListener("keydown", event => {
		const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
		if (by && graph) {
			event.preventDefault();
			const old = graph.getSelection();
			const row = old < 0 ? data.rows.length - 1 : Math.min(data.rows.length - 1, Math.max(0, old + by));
			graph.setSelection(row);
			onRead(row);
		}
	});
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);

	return {
		show,
		/** Releases what the library holds. */
		clear() {
			shown++;
			clear();
		},
	};
}
