// One tool as a card: its number, its bar of wear, what is left of it.

import { h, mark, put, show } from "./dom.js";
import { nearness, toolLabel, toolName, toolState } from "./facts.js";
import { shape } from "./shapes.js";

export class ToolCard {
  constructor(words, press) {
    this._words = words;
    this._label = h("b");
    this._name = h("span", { class: "name" });
    this._sign = h("span", { class: "sign" });
    this._fill = h("span", { class: "fill" });
    this._main = h("span", { class: "main" });
    this._more = h("span", { class: "more" });
    this.node = h(
      "button",
      { type: "button", class: "tool", onclick: press },
      h("span", { class: "head" }, this._label, this._name, this._sign),
      h("span", { class: "bar" }, this._fill),
      this._main,
      this._more,
    );
    this._signed = "";
  }

  update(tool, alert, current) {
    const words = this._words;
    put(this._label, toolLabel(tool.tool));
    put(this._name, toolName(tool, words));
    const { main, more } = toolState(tool, words);
    put(this._main, main);
    put(this._more, more);
    show(this._more, Boolean(more));
    mark(this.node, "data-word", tool.word);
    mark(this.node, "data-severity", alert?.severity);
    mark(this.node, "data-current", current);
    const near = nearness(tool);
    const known = tool.word !== "LOST" && tool.word !== "NOT_MONITORABLE";
    const full = tool.word === "LEARNING" && tool.of > 0 ? tool.n / tool.of : known ? Math.max(0, near) : 0;
    this._fill.style.width = `${Math.round(Math.min(1, full) * 100)}%`;
    mark(this.node, "data-unknown", near < 0 && tool.word !== "LEARNING");
    const sign = alert?.severity ?? "";
    if (sign !== this._signed) {
      this._signed = sign;
      this._sign.replaceChildren(...(sign ? [shape(sign)] : []));
    }
  }
}

/** Keep one card for each tool in `node`. */
export function fillCards(node, cards, tools, words, press) {
  const key = tools.map((tool) => `${tool.spindle}/${tool.tool}`).join(" ");
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  cards.length = 0;
  for (const tool of tools) cards.push(new ToolCard(words, () => press(tool)));
  node.replaceChildren(...cards.map((card) => card.node));
}
