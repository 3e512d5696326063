// The alert that matters most: how much against what, what it is not, one thing to do.

import { button, fit, h, mark, prose, put, refill, show } from "./dom.js";
import { shape } from "./shapes.js";

export class Card {
  constructor(app) {
    const { words } = app;
    this._app = app;
    this._alert = null;
    this._shape = h("span", { class: "card-shape" });
    this._title = h("h2");
    this._since = h("p", { class: "since" });
    this._body = h("div", { class: "card-body" });
    this._open = button(words.t("alert.open"), () => app.go("detail", this._alert.id), { class: "primary" });
    this._acknowledge = button(words.t("alert.acknowledge"), () => app.acknowledge(this._alert), { "data-command": true });
    this._false = button(words.t("alert.false_alarm"), () => app.falseAlarm(this._alert), { "data-command": true });
    this._seen = h("p", { class: "seen" });
    this.node = h(
      "article",
      { class: "card", role: "alert" },
      h("div", { class: "card-head" }, this._shape, h("div", {}, this._title, this._since)),
      this._body,
      this._open,
      h("div", { class: "pair" }, this._acknowledge, this._seen, this._false),
    );
  }

  update(alert) {
    const { words, said, stream } = this._app;
    const told = said.alerts[alert.id];
    this._alert = alert;
    mark(this.node, "data-severity", alert.severity);
    mark(this.node, "data-alert", alert.id);
    mark(this.node, "data-state", alert.state);
    refill(this._shape, alert.severity, () => [shape(alert.severity)]);
    put(this._title, told.title);
    put(this._since, sinceOf(alert, words, stream.now()));
    show(this._acknowledge, alert.state === "active");
    show(this._seen, alert.state !== "active");
    put(this._seen, words.t(alert.returned ? "alert.seen_returned" : "alert.seen"));
    const key = JSON.stringify([told, innerWidth, innerHeight, alert.state]);
    if (refill(this._body, key, () => bodyOf(told, words))) fit(this._body);
  }
}

/** 'Urgent · depuis 14:32 · 3 fois'. */
export function sinceOf(alert, words, now) {
  const parts = [words.t(`severity.${alert.severity}`), words.t("alert.since", { time: words.since(alert.raised, now) })];
  if (alert.count > 1) parts.push(words.t("alert.count", { n: alert.count }));
  if (alert.returned && alert.state === "active") parts.push(words.t("alert.returned"));
  return parts.join(" · ");
}

/** The sentences of an alert, its leading figure in bold. */
export function bodyOf(told, words) {
  const text = told.text ? h("p", {}, ...strong(told.text)) : null;
  const others = told.others ? h("p", {}, told.others) : null;
  const todo = told.todo ? h("p", { class: "todo" }, h("strong", {}, words.t("alert.todo")), " ", ...prose(told.todo)) : null;
  return [text, others, todo].filter(Boolean);
}

function strong(text) {
  const figure = /^[+\u2212-]?\d[\d\u202f\u00a0.,]*(?:[\u202f\u00a0 ]?%)?/.exec(text)?.[0].trimEnd();
  return figure ? [h("strong", {}, figure), text.slice(figure.length)] : [text];
}
