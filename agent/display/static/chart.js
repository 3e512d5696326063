// The load of a cut as it grows, over the band of good cuts.

import { h, mark, put, show, svg } from "./dom.js";

const MARGIN = { top: 0.9, right: 0.8, bottom: 1.7, left: 3.6 }; // in rem
const OUTSIDE = 2; // samples in a row beyond the band before it is said
const SLIP = 1; // points of the band by which a cut may be early or late: on a steep edge that is no excursion

export class Chart {
  constructor(words) {
    this._words = words;
    this._grid = svg("g", { class: "grid" });
    this._band = svg("path", { class: "band" });
    this._trace = svg("path", { class: "trace" });
    this._flag = svg("path", { class: "flag" });
    this._flagText = svg("text", { class: "flag-text" });
    this._dot = svg("circle", { class: "dot" });
    this._svg = svg("svg", { role: "img" }, this._grid, this._band, this._flag, this._trace, this._dot, this._flagText);
    this._none = h("p", { class: "none" });
    this.node = h("div", { class: "chart" }, this._svg, this._none);
    this._frame = "";
    this._bandOf = null;
    this._highest = 0;
    this._cutOf = "";
  }

  /** Draw a cut; `dim`: it is not the present. */
  draw(cut, unit, dim) {
    const width = this.node.clientWidth;
    const height = this.node.clientHeight;
    show(this._none, !cut);
    show(this._svg, Boolean(cut));
    if (!cut) put(this._none, this._words.t("chart.none"));
    if (!cut || width < 40 || height < 40) return;
    mark(this._svg, "aria-label", this._words.t("chart.label"));
    const scale = this._scale(cut, width, height);
    this._drawFrame(scale, unit, width, height);
    this._drawBand(cut.envelope, scale);
    this._drawTrace(cut, scale, dim);
    this._drawFlag(cut, scale);
  }

  _scale(cut, width, height) {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const band = cut.envelope;
    const seconds = Math.max(band ? (band.high.length - 1) * band.grid : 0, (cut.curve.length - 1) * cut.grid, 0.5);
    // Where few cuts began and ended at different moments the band is wide there; it shall not press all the rest to the ground.
    const middle = band ? Math.max(...band.high.map((high, i) => (high + band.low[i]) / 2)) : 0;
    const usual = band ? Math.min(Math.max(...band.high), 1.5 * middle) * 1.22 : 0;
    if (this._cutOf !== cut.operation) this._highest = 0;
    this._cutOf = cut.operation;
    this._highest = Math.max(usual, ...cut.curve.map((value) => value * 1.15), this._highest * 0.999, 1e-6);
    const step = nice(this._highest / 4.2);
    const top = Math.ceil(this._highest / step) * step;
    const left = MARGIN.left * rem;
    const bottom = height - MARGIN.bottom * rem;
    const across = width - left - MARGIN.right * rem;
    const up = bottom - MARGIN.top * rem;
    return { rem, step, top, seconds, left, bottom, across, x: (t) => left + (t / seconds) * across, y: (v) => bottom - (v / top) * up };
  }

  _drawFrame(scale, unit, width, height) {
    const frame = `${width}x${height}:${scale.top}:${scale.step}:${scale.seconds}:${unit}:${this._words.language}`;
    if (frame === this._frame) return;
    this._frame = frame;
    this._bandOf = null;
    mark(this._svg, "viewBox", `0 0 ${width} ${height}`);
    const lines = [];
    for (let value = 0; value <= scale.top * 1.001; value += scale.step) {
      const y = scale.y(value);
      lines.push(svg("line", { x1: scale.left, x2: scale.left + scale.across, y1: y, y2: y }));
      lines.push(label(this._words.measure(Math.round(value * 1e6) / 1e6, unit), scale.left - 0.5 * scale.rem, y + 0.35 * scale.rem, "end"));
    }
    const every = nice(scale.seconds / 5);
    for (let time = every; time <= scale.seconds * 1.001; time += every) {
      const text = this._words.unit(this._words.number(time, every < 1 ? 1 : 0), "s");
      lines.push(label(text, Math.min(scale.x(time), scale.left + scale.across - scale.rem), scale.bottom + 1.3 * scale.rem, "middle"));
    }
    this._grid.replaceChildren(...lines);
  }

  _drawBand(band, scale) {
    const key = band ? `${this._cutOf}:${band.n}:${band.since}:${band.grid}:${band.high.length}:${band.high[band.high.length >> 1]}` : "none";
    if (key === this._bandOf) return;
    this._bandOf = key;
    if (!band || band.high.length < 2) {
      mark(this._band, "d", null);
      return;
    }
    const edge = (values) => values.map((v, i) => point(scale.x(i * band.grid), scale.y(Math.min(Math.max(v, 0), scale.top))));
    const high = edge(band.high);
    const low = edge(band.low).reverse();
    mark(this._band, "d", `M${high.join("L")}L${low.join("L")}Z`);
  }

  _drawTrace(cut, scale, dim) {
    const points = cut.curve.map((v, i) => (v === null ? null : point(scale.x(i * cut.grid), scale.y(v))));
    mark(this._trace, "d", path(points));
    mark(this._trace, "data-dim", dim);
    const last = points.at(-1);
    show(this._dot, Boolean(last) && !dim);
    if (!last) return;
    const [x, y] = last.split(" ");
    mark(this._dot, "cx", x);
    mark(this._dot, "cy", y);
    mark(this._dot, "r", 0.45 * scale.rem);
  }

  _drawFlag(cut, scale) {
    const left = leaving(cut);
    show(this._flag, Boolean(left));
    show(this._flagText, Boolean(left));
    if (!left) return;
    const x = scale.x(left.index * cut.grid);
    const y = scale.y(cut.curve[left.index]);
    put(this._flagText, this._words.t(left.high ? "chart.above" : "chart.below"));
    const width = this._flagText.getComputedTextLength();
    const end = left.high ? Math.max(scale.y(scale.top) + 1.3 * scale.rem, y - 1.6 * scale.rem) : scale.y(left.limit);
    mark(this._flag, "d", `M${point(x, y)}L${point(x, end)}`);
    const right = scale.left + scale.across - width;
    const gap = 0.6 * scale.rem;
    const beside = [x + gap, scale.x((left.index - 1) * cut.grid) - width - gap].find((at) => at >= scale.left && at <= right);
    const free = left.high || beside === undefined;
    mark(this._flagText, "x", free ? Math.max(scale.left, Math.min(right, x - width / 2)) : beside);
    mark(this._flagText, "y", left.high ? end - 0.4 * scale.rem : free ? scale.y(scale.top) + 1.2 * scale.rem : (y + end) / 2 + 0.35 * scale.rem);
  }
}

/** Where a cut leaves the band of good cuts and stays outside for a moment; null if it does not. */
export function leaving(cut) {
  const band = cut.envelope;
  if (!band || band.high.length < 2) return null;
  let run = 0;
  for (let index = 0; index < cut.curve.length; index += 1) {
    const at = Math.round((index * cut.grid) / band.grid);
    if (at >= band.high.length) return null;
    const value = cut.curve[index];
    const near = [Math.max(at - SLIP, 0), at + SLIP + 1];
    const above = value > Math.max(...band.high.slice(...near));
    const side = value === null ? 0 : above ? 1 : value < Math.min(...band.low.slice(...near)) ? -1 : 0;
    run = side === 0 ? 0 : Math.sign(run) === side ? run + side : side;
    if (Math.abs(run) >= OUTSIDE) return { index: index - OUTSIDE + 1, high: run > 0, limit: run > 0 ? band.high[at] : band.low[at] };
  }
  return null;
}

function label(text, x, y, anchor) {
  return svg("text", { x, y, "text-anchor": anchor }, text);
}

function point(x, y) {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

function path(points) {
  let text = "";
  let pen = "M";
  for (const at of points) {
    if (at) text += pen + at;
    pen = at ? "L" : "M";
  }
  return text || null;
}

/** The next 1, 2 or 5 times a power of ten. */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= value * 0.999);
}
