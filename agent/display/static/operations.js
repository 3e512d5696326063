// How well each operation is watched, and what its limits can see: one line each, one column a figure.

import { h, mark, prose, refill, show } from "./dom.js";
import { ask } from "./explained.js";
import { Pager, rowsIn } from "./pager.js";
import { shape } from "./shapes.js";

const EVERY = 3000; // ms between two questions
const ROW = 3.5; // rem: a line is pressed with a glove
const HEAD = 2.6; // rem
const SHAPED = new Set(["MONITORING", "PROVISIONAL", "HOLD", "NOT_MONITORABLE", "LOST", "OFF"]);

// A column: its key under page.operations.column, and what stands in its cell. A figure that nobody knows is a dash.
// `optional`: left out while no operation has the figure.
const COLUMNS = [
  { key: "operation", cell: ({ said, view }) => h("span", { class: "cell-two" }, h("b", {}, said.name), h("small", {}, view.program || view.section ? [view.program, view.section.replace("~", "#")].filter(Boolean).join(" \u00b7 ") : view.spindle)) },
  { key: "word", cell: ({ said, view }, words) => h("span", { class: "cell-word" }, SHAPED.has(view.word) ? shape(view.word) : null, h("span", {}, said.word.toLocaleLowerCase(words.language))) },
  { key: "n", cell: ({ view }, words) => words.number(view.n) },
  { key: "smallest", cell: ({ view }, words) => within(view.smallest_change, view.rise_cuts, words) },
  { key: "smallest_fall", cell: ({ view }, words) => within(view.smallest_fall === null ? null : -view.smallest_fall, view.fall_cuts, words) },
  { key: "wear", cell: ({ view }, words) => share(view.wear_limit, words, true) },
  { key: "undercut", cell: ({ view }, words) => share(view.undercut, words, false, "< ") },
  { key: "fall", cell: ({ view }, words) => share(view.fall, words, false, "> ") },
  { key: "overload", cell: ({ view }, words) => share(view.overload, words, true) },
  { key: "contrast", cell: ({ view }, words) => words.measure(view.contrast, "", 1) },
  { key: "rate", cell: ({ view }, words) => words.measure(view.rate, "", 1) },
  { key: "widened", optional: ({ view }) => view.widened > 1.001, cell: ({ view }, words) => (view.widened > 1.001 ? `\u00d7\u00a0${words.number(view.widened, 2)}` : "") },
];

/** A fraction in %, with a sign before it; a dash where it is not known. */
function share(fraction, words, signed, before = "") {
  return fraction === null ? words.number(null) : `${before}${words.percent(fraction, signed)}`;
}

/** A change, and below it in how many passes it is told. */
function within(change, passes, words) {
  return h("span", { class: "cell-within" }, share(change, words, true), change === null ? null : h("small", {}, words.t("operations.within", { n: passes })));
}

export class Operations {
  constructor(app) {
    const { words } = app;
    this._app = app;
    this._known = null;
    this._at = -Infinity;
    this._picked = "";
    this._head = h("tr");
    this._rows = h("tbody");
    this._box = h("div", { class: "table-box" }, h("table", { class: "operations" }, h("thead", {}, this._head), this._rows));
    this._pager = new Pager(words, () => app.render());
    this._none = h("p", { class: "none" }, words.t("operations.none"));
    this._why = h("p", { class: "why-line" });
    this.node = h("section", { class: "panel list" }, this._none, this._box, h("div", { class: "foot" }, this._why, this._pager.node));
  }

  update() {
    const { words, narrow } = this._app;
    if (performance.now() - this._at > EVERY) this._ask();
    const all = this._known ?? [];
    show(this._none, this._known !== null && all.length === 0);
    show(this._box, all.length > 0);
    const columns = COLUMNS.filter((column) => !column.optional || all.some(column.optional));
    refill(this._head, columns.map((column) => column.key).join(), () => columns.map(({ key }) => h("th", { scope: "col", "data-column": key }, words.t(`operations.column.${key}`))));
    const shown = this._pager.slice(all, narrow ? 30 : rowsIn(this._box, ROW, HEAD));
    refill(this._rows, JSON.stringify(shown), () => shown.map((one) => this._row(one, columns)));
    const picked = shown.find((one) => one.view.key === this._picked) ?? shown[0];
    for (const row of this._rows.children) mark(row, "aria-selected", String(row.dataset.operation === picked?.view.key));
    refill(this._why, JSON.stringify(picked?.said ?? null), () => (picked ? [h("b", {}, `${picked.said.name} : `.replace(" :", words.language === "fr" ? "\u00a0:" : ":")), ...prose([picked.said.means, picked.said.helps].filter(Boolean).join(" "))] : []));
  }

  _row(one, columns) {
    const { words } = this._app;
    const pick = () => {
      this._picked = one.view.key;
      this._app.render();
    };
    const cells = columns.map((column, i) => h(i ? "td" : "th", { scope: i ? null : "row", "data-column": column.key }, column.cell(one, words)));
    return h("tr", { "data-operation": one.view.key, "data-word": one.view.word, onclick: pick }, ...cells);
  }

  async _ask() {
    this._at = performance.now();
    const told = await ask(`/api/operations?lang=${this._app.words.language}`);
    if (told === null) return;
    this._known = told;
    this._app.render();
  }
}
