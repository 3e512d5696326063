// All tools, and the one that was picked: how much it wore, how small a change would be seen, 'tool changed'.

import { button, h, mark, put, refill, show } from "./dom.js";
import { basisOf, partsLeft, sees, toolLabel, toolName } from "./facts.js";
import { Pager } from "./pager.js";
import { fillCards } from "./toolcard.js";

const ROW = 7.9; // rem, a card and the gap below it

export class Tools {
  constructor(app) {
    const { words } = app;
    this._app = app;
    this._cards = [];
    this._grid = h("div", { class: "tool-grid" });
    this._pager = new Pager(words, () => app.render());
    this._title = h("h2");
    this._why = h("p", { class: "why" });
    this._facts = h("table", { class: "evidence" });
    this._changed = button(words.t("alert.tool_changed"), () => app.toolChanged(this._picked.tool, this._picked.spindle), { class: "primary", "data-command": true });
    this._measure = button(words.t("tool.measure"), () => app.measure(this._picked), { "data-command": true });
    this._good = button(words.t("tool.still_good"), () => app.stillGood(this._picked.tool, this._picked.spindle), { "data-command": true });
    this._alert = button(words.t("alert.open"), () => app.go("detail", this._picked.alert));
    this.node = h(
      "main",
      { class: "two" },
      h("section", { class: "panel list" }, this._grid, this._pager.node),
      h("section", { class: "panel picked" }, this._title, this._why, this._facts, h("div", { class: "actions" }, this._alert, this._measure, this._good, this._changed)),
    );
    this._picked = null;
    this._asked = null;
  }

  update() {
    const { words, snapshot, said, subject } = this._app;
    if (!snapshot) return;
    const { tools } = snapshot;
    const size = this._size();
    if (this._asked !== subject && subject) {
      this._asked = subject;
      const index = tools.findIndex((tool) => keyOf(tool) === subject);
      this._pager.page = Math.max(0, Math.floor(index / size));
    }
    this._picked = tools.find((tool) => keyOf(tool) === subject) ?? tools[0];
    const shown = this._pager.slice(tools, size);
    fillCards(this._grid, this._cards, shown, words, (tool) => this._app.go("tools", keyOf(tool)));
    shown.forEach((tool, i) => {
      this._cards[i].update(tool, snapshot.alerts.find((one) => one.id === tool.alert), tool.tool === snapshot.context.tool);
      mark(this._cards[i].node, "aria-pressed", String(tool === this._picked));
    });
    this._showPicked(this._picked, said?.tools[tools.indexOf(this._picked)]);
  }

  _size() {
    const style = getComputedStyle(this._grid);
    const columns = style.gridTemplateColumns.split(" ").length;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const rows = Math.max(1, Math.floor((this._grid.clientHeight / rem - 0.8) / ROW));
    return this._app.narrow ? 8 : columns * rows;
  }

  _showPicked(tool, said) {
    const { words } = this._app;
    show(this._title.parentNode, Boolean(tool));
    if (!tool) return;
    put(this._title, [toolLabel(tool.tool), toolName(tool, words), this._app.snapshot.spindles.length > 1 ? tool.spindle : ""].filter(Boolean).join(" "));
    put(this._why, said ? [said.means, said.helps].filter(Boolean).join(" ") : "");
    const rows = [
      [tool.parts_low === null ? "" : basisOf(tool, words), tool.parts_low === null ? "" : partsLeft(tool, words)],
      [words.t("tool.row.vb"), tool.vb === null ? "" : words.t("tool.vb", { vb: words.number(tool.vb, 2), limit: words.number(tool.vb_limit, 2), n: tool.vb_parts })],
      [words.t("tool.row.wear"), tool.wear === null ? words.t("tool.no_wear") : words.t("tool.of_limit", { wear: words.percent(tool.wear, true), limit: words.percent(tool.wear_limit, true) })],
      [words.t("tool.row.smallest"), tool.alert ? "" : tool.smallest_change === null ? words.t("tool.unknown") : words.percent(tool.smallest_change, true)],
      [words.t("tool.row.sees"), !tool.alert && tool.promise ? sees(tool, words) : ""],
      [words.t(tool.new_known ? "tool.row.done" : "tool.row.seen"), words.t("tool.done", { parts: words.number(tool.parts), time: words.duration(tool.cutting_time) })],
    ];
    refill(this._facts, JSON.stringify(rows), () => rows.filter(([, value]) => value).map(([key, value]) => h("tr", {}, h("th", { scope: "row" }, key), h("td", { "data-value": true }, value))));
    show(this._alert, Boolean(tool.alert));
  }
}

function keyOf(tool) {
  return `${tool.spindle}/${tool.tool}`;
}
