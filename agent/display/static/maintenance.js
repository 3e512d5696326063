// The checklists that are open: what to do, for which alert, how far it has got.

import { h, put, refill, show } from "./dom.js";
import { openChecklists, ticked } from "./facts.js";
import { Pager, rowsIn } from "./pager.js";
import { shape } from "./shapes.js";

export class Maintenance {
  constructor(app) {
    const { words } = app;
    this._app = app;
    this._list = h("div", { class: "rows" });
    this._pager = new Pager(words, () => app.render());
    this._none = h("p", { class: "none" }, words.t("maintenance.none"));
    this.node = h("main", { class: "one" }, h("section", { class: "panel list" }, h("h2", {}, words.t("maintenance.title")), this._none, this._list, this._pager.node));
  }

  update() {
    const { words, snapshot, said, history, stream } = this._app;
    if (!snapshot || !said) return;
    const open = openChecklists(snapshot).filter((one) => said.checklists[one.id]);
    show(this._none, open.length === 0);
    const shown = this._pager.slice(open, this._app.narrow ? 6 : rowsIn(this._list, 4.6));
    const rows = shown.map((one) => {
      const alert = snapshot.alerts.find((a) => a.id === one.alert);
      const title = said.alerts[one.alert]?.title ?? history?.find((h_) => h_.alert.id === one.alert)?.said.title ?? "";
      return {
        id: one.alert,
        severity: alert?.severity ?? "",
        title: said.checklists[one.id].title,
        about: [title, words.t("maintenance.opened", { time: words.since(one.opened, stream.now()) })].filter(Boolean).join(" · "),
        count: words.t("checklist.count", { n: ticked(one), of: one.steps.length }),
        part: one.steps.length ? ticked(one) / one.steps.length : 0,
      };
    });
    refill(this._list, JSON.stringify(rows), () => rows.map((row) => this._row(row)));
  }

  _row(row) {
    const fill = h("span", { class: "fill" });
    fill.style.width = `${Math.round(row.part * 100)}%`;
    const title = h("b");
    put(title, row.title);
    return h(
      "button",
      { type: "button", class: "row-button", "data-severity": row.severity || null, onclick: () => this._app.go("detail", row.id) },
      h("span", { class: "row-shape" }, row.severity ? shape(row.severity) : null),
      h("span", { class: "row-text" }, title, h("span", { class: "row-about" }, row.about)),
      h("span", { class: "row-end" }, h("span", {}, row.count), h("span", { class: "bar" }, fill)),
    );
  }
}
