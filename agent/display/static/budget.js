// What became of the false-alarm budget: the interval of the realised rate beside what the shop allows, and what that means.

import { fit, h, mark, prose, put, refill, show, svg } from "./dom.js";
import { ask } from "./explained.js";
import { shape } from "./shapes.js";

const EVERY = 3000; // ms between two questions
const WIDE = 1000; // of the drawing
const SHAPES = { early: "advice", kept: "good", above: "warning" };

export class Budget {
  constructor(app) {
    this._app = app;
    this._known = null;
    this._at = -Infinity;
    this._shape = h("span", { class: "badge-shape" });
    this._verdict = h("h2");
    this._scale = h("div", { class: "scale" });
    this._table = h("table", { class: "evidence" });
    this._means = h("div", { class: "sentences" });
    this._box = h("div", { class: "why-box" }, h("div", { class: "verdict" }, this._shape, this._verdict), this._scale, h("div", { class: "halves" }, this._table, this._means));
    this.node = h("section", { class: "panel reasons budget" }, this._box);
  }

  update() {
    if (performance.now() - this._at > EVERY) this._ask();
    show(this._box, this._known !== null);
    if (this._known === null) return;
    const { realised, said } = this._known;
    mark(this.node, "data-verdict", realised.verdict);
    refill(this._shape, realised.verdict, () => [shape(SHAPES[realised.verdict])]);
    const screen = `${innerWidth}x${innerHeight}`;
    const changed = [
      put(this._verdict, said.verdict),
      refill(this._scale, JSON.stringify(realised), () => (realised.high === null ? [] : this._draw(realised))),
      refill(this._table, screen + JSON.stringify(said.rows), () => said.rows.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value)))),
      refill(this._means, screen + JSON.stringify(said.means), () => said.means.map((line) => h("p", {}, ...prose(line)))),
    ];
    if (changed.some(Boolean)) fit(this._box);
  }

  /** From 0 to what there is to see: the interval, the rate in it as a block, and the setting as a line across. */
  _draw({ rate, low, high, budget }) {
    const { words } = this._app;
    const end = Math.max(4 * budget, Math.min(1.1 * high, 12 * budget), 1.2 * rate);
    const x = (value) => (Math.min(value / end, 1) * WIDE).toFixed(1);
    const figures = Object.fromEntries(Object.entries({ end, low, high, budget }).map(([name, value]) => [name, words.measure(value, "", 1)]));
    const drawn = svg(
      "svg",
      { viewBox: `0 0 ${WIDE} 36`, preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: "scale-all", x: 0, y: 10, width: WIDE, height: 16 }),
      svg("rect", { class: "scale-range", x: x(low), y: 10, width: Math.max(x(high) - x(low), 4), height: 16 }),
      svg("rect", { class: "scale-rate", x: Math.max(x(rate) - 4, 0), y: 4, width: 8, height: 28 }),
      svg("rect", { class: "scale-budget", x: x(budget) - 2, y: 0, width: 4, height: 36 }),
    );
    return [drawn, h("p", { class: "caption" }, words.t("budget.scale", figures))];
  }

  async _ask() {
    this._at = performance.now();
    const told = await ask(`/api/budget?lang=${this._app.words.language}`);
    if (told === null) return;
    this._known = told;
    this._app.render();
  }
}
