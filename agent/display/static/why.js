// What speaks for an alert, and what it could be instead.

import { fit, h, prose, refill, show } from "./dom.js";

/** Every figure with its name, and how often this limit speaks by chance. */
export class Evidence {
  constructor(words) {
    this._table = h("table", { class: "evidence" });
    this._chance = h("div", { class: "chance" });
    this._box = h("div", { class: "why-box" }, this._table, h("h3", {}, words.t("why.chance")), this._chance);
    this.node = h("section", { class: "panel reasons" }, this._box);
  }

  /** `rows`: of the evidence alone, while the rest is not known. */
  update(told, rows) {
    const all = told ? [...told.rows, ...told.evidence] : rows;
    const lines = told?.chance ?? [];
    show(this._chance, lines.length > 0);
    show(this._chance.previousElementSibling, lines.length > 0);
    const changed = refill(this._table, keyOf(all), () => all.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value))));
    if (refill(this._chance, keyOf(lines), () => lines.map((line) => h("p", {}, line))) || changed) fit(this._box);
  }
}

/** What to look at first, what else may look like it, what Broche does not see. */
export class Doubts {
  constructor(words) {
    this._words = words;
    this._first = part(words.t("why.first"), "p");
    this._causes = part(words.t("why.causes"), "ul");
    this._unseen = part(words.t("why.unseen"), "ul");
    this._none = h("p", { class: "none" }, words.t("why.none"));
    this._box = h("div", { class: "why-box" }, this._first.node, this._causes.node, this._unseen.node, this._none);
    this.node = h("section", { class: "panel reasons" }, this._box);
  }

  update(told) {
    show(this._none, !told);
    for (const { node } of [this._first, this._causes, this._unseen]) show(node, Boolean(told));
    if (!told) return;
    show(this._first.node, Boolean(told.first));
    show(this._causes.node, told.causes.length > 0);
    show(this._unseen.node, told.unseen.length > 0);
    const likely = told.causes.filter((cause) => cause.likely);
    const unlikely = told.causes.filter((cause) => !cause.likely).map((cause) => cause.text);
    const more = unlikely.length ? [h("li", { "data-unlikely": true }, ...prose([this._words.t("why.unlikely"), unlikely.join(" \u00b7 ")].join(" ")))] : [];
    const changed = [
      refill(this._first.body, keyOf(told.first), () => [h("strong", {}, ...prose(told.first))]),
      refill(this._causes.body, keyOf(told.causes), () => [...likely.map(({ text }) => h("li", {}, ...prose(text))), ...more]),
      refill(this._unseen.body, keyOf(told.unseen), () => told.unseen.map((text) => h("li", {}, ...prose(text)))),
    ];
    if (changed.some(Boolean)) fit(this._box);
  }
}

function part(title, tag) {
  const body = h(tag);
  return { node: h("div", { class: "why-part" }, h("h3", {}, title), body), body };
}

// The size of the screen decides how large the letters may be.
function keyOf(content) {
  return `${innerWidth}x${innerHeight}${JSON.stringify(content)}`;
}
