// For who wires and tunes: every channel with its quality and age, every link, the broker, the store, the clock, the versions; and how
// well each operation is watched.

import { Budget } from "./budget.js";
import { h, mark, prose, refill } from "./dom.js";
import { Operations } from "./operations.js";
import { Pager, rowsIn } from "./pager.js";
import { shape } from "./shapes.js";
import { Tabs } from "./tabs.js";

const QUALITIES = ["good", "uncertain", "bad", "unavailable", "absent"];
const ROW = 1.9; // rem
const LINE = 4.3; // rem
const FAULT = new Set(["error", "trouble"]);
const FAULTS = { bus: "bus", source: "bus", beacon: "bus", broker: "mqtt.problem", store: "store" };

export class Installer {
  constructor(app) {
    const { words } = app;
    this._app = app;
    this._channels = h("tbody");
    this._channelBox = h("div", { class: "table-box" }, h("table", { class: "channels" }, this._head(words), this._channels));
    this._channelPager = new Pager(words, () => app.render());
    this._lines = h("div", { class: "lines" });
    this._linePager = new Pager(words, () => app.render());
    const wires = h(
      "div",
      { class: "wires" },
      h("section", { class: "panel list", "aria-label": words.t("installer.channels") }, this._channelBox, this._channelPager.node),
      h("section", { class: "panel list", "aria-label": words.t("installer.links") }, this._lines, this._linePager.node),
    );
    this._operations = new Operations(app);
    this._budget = new Budget(app);
    const views = [
      { name: "wires", text: words.t("installer.tab.wires"), node: wires },
      { name: "operations", text: words.t("installer.tab.operations"), node: this._operations.node },
      { name: "budget", text: words.t("installer.tab.budget"), node: this._budget.node },
    ];
    this._tabs = new Tabs(words.t("nav.installer"), views, () => app.render());
    this.node = h("main", { class: "installer" }, this._tabs.bar, ...views.map((view) => view.node));
  }

  update() {
    this._tabs.warn("budget", this._app.snapshot?.realised.verdict === "above");
    if (this._tabs.shown === "operations") this._operations.update();
    else if (this._tabs.shown === "budget") this._budget.update();
    else this._updateWires();
  }

  _updateWires() {
    const { words, health, narrow } = this._app;
    if (!health) return;
    const shown = this._channelPager.slice(health.channels, narrow ? 60 : rowsIn(this._channelBox, ROW) - 1);
    refill(this._channels, JSON.stringify(shown), () => shown.map((channel) => this._channel(channel)));
    for (const row of this._channels.children) this._age(row);
    const visible = this._linePager.slice(health.lines, narrow ? 60 : rowsIn(this._lines, LINE));
    refill(this._lines, JSON.stringify(visible), () => visible.map((line) => this._line(line)));
  }

  _head(words) {
    const names = ["channel", "value", "quality", "age"];
    return h("thead", {}, h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, words.t(`installer.${name}`)))));
  }

  _channel(channel) {
    const { words } = this._app;
    const quality = QUALITIES[channel.quality] ?? "bad";
    return h(
      "tr",
      { "data-quality": quality, "data-time": channel.time },
      h("th", { scope: "row", title: channel.source }, channel.name),
      h("td", { "data-value": true }, words.measure(channel.value, channel.unit)),
      h("td", {}, shape({ good: "good", uncertain: "advice" }[quality] ?? "lost"), words.t(`quality.${quality}`)),
      h("td", { class: "age" }),
    );
  }

  _age(row) {
    const { words, stream } = this._app;
    const cell = row.lastElementChild;
    const age = row.dataset.time === undefined ? null : stream.now() - Number(row.dataset.time);
    const text = age === null ? words.t("age.never") : words.duration(Math.max(0, age));
    if (cell.textContent !== text) cell.textContent = text;
    mark(cell, "data-old", age === null || age > 5);
  }

  _line(line) {
    const { words } = this._app;
    const fault = this._fault(line);
    const facts = Object.entries(line.facts).filter(([key, value]) => !FAULT.has(key) && value !== null && value !== "");
    const said = facts.map(([key, value]) => `${words.has(`fact.${key}`) ? words.t(`fact.${key}`) : key} ${this._fact(value)}`);
    const about = fault || [words.t(`health.${line.state}`), ...said].join(" · ");
    return h(
      "div",
      { class: "line", "data-state": line.state },
      shape(line.state === "warning" ? "warning" : line.state),
      h("div", {}, h("b", {}, `${words.t(`group.${line.group}`)} ${line.name}`), h("span", { class: "line-about" }, ...prose(about))),
    );
  }

  // What is wrong with it, in the words of its own room; the bare key where there are none.
  _fault(line) {
    const { words } = this._app;
    const key = line.facts.error || line.facts.trouble;
    if (!key) return "";
    const place = `${FAULTS[line.group]}.${key}`;
    return words.has(place) ? words.t(place, { ...line.facts, broker: line.facts.url }) : String(key);
  }

  _fact(value) {
    const { words } = this._app;
    if (typeof value === "number") return words.measure(value, "", 1);
    if (typeof value === "boolean") return words.t(value ? "value.yes" : "value.no");
    return words.has(`value.${value}`) ? words.t(`value.${value}`) : value;
  }
}
