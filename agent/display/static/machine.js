// The home view: the cut as it grows, the tools, and what to do now.

import { Card } from "./card.js";
import { Chart } from "./chart.js";
import { Strip } from "./strip.js";
import { Next } from "./next.js";
import { button, h, mark, put, refill, show } from "./dom.js";
import { chosenTools, ranked, shownSpindle } from "./facts.js";
import { fillCards } from "./toolcard.js";

const OLD = 2; // s: an older figure is not the present

export class Machine {
  constructor(app) {
    const { words } = app;
    this._app = app;
    this._chosen = "";
    this._title = h("h2");
    this._spindles = h("div", { class: "spindles" });
    this._load = h("span", { class: "load", "data-value": true });
    this._age = h("span", { class: "age" });
    this._chart = new Chart(words);
    this._caption = h("p", { class: "caption" });
    this._speed = h("p", { class: "speed", "data-value": true });
    this._tools = h("div", { class: "tools" });
    this._cards = [];
    this._card = new Card(app);
    this._next = new Next(app);
    this._strip = new Strip(app);
    this.node = h(
      "main",
      { class: "machine" },
      h(
        "section",
        { class: "panel cut" },
        h("div", { class: "cut-head" }, this._title, this._spindles, h("p", { class: "now" }, this._load, this._age)),
        this._chart.node,
        h("div", { class: "cut-foot" }, this._caption, this._speed),
        this._tools,
      ),
      h("section", { class: "side" }, this._card.node, this._next.node, this._strip.node),
    );
  }

  update() {
    const { snapshot, said } = this._app;
    if (!snapshot) return;
    const spindle = shownSpindle(snapshot, this._chosen);
    this._updateSpindles(snapshot, spindle);
    this._updateTools(snapshot);
    const alerts = ranked(snapshot.alerts).filter((alert) => said?.alerts[alert.id]);
    show(this._card.node, alerts.length > 0);
    show(this._strip.node, alerts.length > 0);
    show(this._next.node, alerts.length === 0);
    if (alerts.length) {
      this._strip.update(snapshot, alerts.length - 1);
      this._card.update(alerts[0]);
    } else {
      this._next.update(snapshot);
    }
    // Last: what stands around the drawing decides its size.
    if (spindle) this._updateCut(spindle);
  }

  _updateSpindles(snapshot, shown) {
    const names = snapshot.spindles.map((spindle) => spindle.name);
    show(this._spindles, names.length > 1);
    refill(this._spindles, names.join(" "), () => names.map((name) => button(name, () => (this._chosen = name), { "data-name": name })));
    for (const node of this._spindles.children) mark(node, "aria-pressed", String(node.dataset.name === shown?.name));
  }

  _updateCut(spindle) {
    const { words, stream, live } = this._app;
    const { cut } = spindle;
    const open = Boolean(cut?.open);
    const title = open ? "this" : cut ? "last" : "none";
    const short = this._app.narrow || this._app.snapshot.spindles.length > 1;
    put(this._title, words.t(short ? `cut.short.${title}` : `cut.${title}`));
    const age = spindle.load_time === null ? null : stream.now() - spindle.load_time;
    put(this._load, words.glance(spindle.load, spindle.load_unit));
    put(this._age, age === null ? words.t("age.never") : words.age(age));
    const old = age === null || age > OLD || spindle.load === null;
    mark(this._load, "data-old", old && spindle.load !== null);
    mark(this._age, "data-old", old && this._app.snapshot.coverage.word !== "OFF");
    put(this._caption, this._about(cut));
    if (cut && !open) put(this._speed, words.t("cut.ended", { age: words.age(stream.now() - cut.time) }));
    else put(this._speed, spindle.speed === null ? "" : words.t("cut.speed", { speed: words.number(spindle.speed) }));
    this._chart.draw(cut, spindle.load_unit, !open || !live || old);
  }

  _about(cut) {
    const { words, stream } = this._app;
    if (!cut) return "";
    if (!cut.envelope) return words.t("cut.no_band");
    return words.t("cut.band", { n: cut.envelope.n, since: words.since(cut.envelope.since, stream.now()) });
  }

  _updateTools(snapshot) {
    const { words } = this._app;
    const most = this._app.narrow ? 6 : 4;
    const tools = chosenTools(snapshot, most);
    fillCards(this._tools, this._cards, tools, words, (tool) => this._app.go("tools", `${tool.spindle}/${tool.tool}`));
    tools.forEach((tool, i) => {
      const alert = snapshot.alerts.find((one) => one.id === tool.alert);
      this._cards[i].update(tool, alert, tool.tool === snapshot.context.tool);
    });
    const others = snapshot.tools.length - tools.length;
    if (others > 0 && this._tools.children.length === tools.length) {
      this._tools.append(button("", () => this._app.go("tools"), { class: "tool others" }));
    }
    if (others > 0) put(this._tools.lastElementChild, words.t("tool.others", { n: others }));
    else if (this._tools.children.length > tools.length) this._tools.lastElementChild.remove();
    mark(this._tools, "data-cards", this._tools.children.length);
  }
}
