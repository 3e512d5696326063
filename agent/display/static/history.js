// Alerts since the agent started, newest first.

import { verdict } from "./detail.js";
import { h, refill, show } from "./dom.js";
import { Pager, rowsIn } from "./pager.js";
import { shape } from "./shapes.js";

export class History {
  constructor(app) {
    const { words } = app;
    this._app = app;
    this._list = h("div", { class: "rows" });
    this._pager = new Pager(words, () => app.render());
    this._none = h("p", { class: "none" }, words.t("history.none"));
    this.node = h("main", { class: "one" }, h("section", { class: "panel list" }, h("h2", {}, words.t("history.title")), this._none, this._list, this._pager.node));
  }

  update() {
    const { words, history, stream } = this._app;
    const episodes = history ?? [];
    show(this._none, episodes.length === 0);
    const shown = this._pager.slice(episodes, this._app.narrow ? 8 : rowsIn(this._list, 4.6));
    const rows = shown.map(({ alert, said, ended }) => ({
      id: alert.id,
      severity: alert.severity,
      open: alert.state !== "cleared",
      time: words.stamp(alert.raised, stream.now()),
      title: said.title,
      text: said.text,
      state: [words.t(verdict(alert)), ended === null ? "" : words.clock(ended)].filter(Boolean).join(" "),
    }));
    refill(this._list, JSON.stringify(rows), () => rows.map((row) => this._row(row)));
  }

  _row(row) {
    return h(
      "button",
      { type: "button", class: "row-button", "data-severity": row.open ? row.severity : null, onclick: () => this._app.go("detail", row.id) },
      h("span", { class: "row-time" }, row.time),
      h("span", { class: "row-shape" }, shape(row.severity)),
      h("span", { class: "row-text" }, h("b", {}, row.title), h("span", { class: "row-about" }, row.text)),
      h("span", { class: "row-end" }, row.state),
    );
  }
}
