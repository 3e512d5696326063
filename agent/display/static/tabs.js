// Views that take turns in one place, one large button each.

import { button, h, mark, show } from "./dom.js";

export class Tabs {
  /** `views`: name, text of its button, node; the first is shown. `turn`: called after another was chosen. */
  constructor(label, views, turn) {
    this._views = views;
    this._turn = turn;
    this.shown = views[0].name;
    this._buttons = views.map((view) => button(view.text, () => this.choose(view.name), { role: "tab", "data-tab": view.name }));
    this.bar = h("div", { class: "tabs", role: "tablist", "aria-label": label }, ...this._buttons);
    for (const view of views) mark(view.node, "role", "tabpanel");
    this._show();
  }

  choose(name) {
    this.shown = name;
    this._show();
    this._turn();
  }

  /** Whether the view behind this button has something that asks for a look. */
  warn(name, warns) {
    mark(this._buttons[this._views.findIndex((view) => view.name === name)], "data-warns", warns);
  }

  /** Back to the first. */
  begin() {
    this.shown = this._views[0].name;
    this._show();
  }

  _show() {
    this._views.forEach((view, i) => {
      show(view.node, view.name === this.shown);
      mark(this._buttons[i], "aria-selected", String(view.name === this.shown));
    });
  }
}
