// Pages instead of scrolling: a glove turns a page, it does not scroll a list.

import { h, mark, put } from "./dom.js";
import { shape } from "./shapes.js";

export class Pager {
  constructor(words, turn) {
    this._words = words;
    this._turn = turn;
    this.page = 0;
    this._count = h("span", { class: "page-count" });
    this._back = h("button", { type: "button", "aria-label": words.t("pager.back"), onclick: () => this._go(-1) }, shape("back"));
    this._next = h("button", { type: "button", "aria-label": words.t("pager.next"), onclick: () => this._go(1) }, shape("next"));
    this.node = h("div", { class: "pager" }, this._back, this._count, this._next);
    this._pages = 1;
  }

  /** The items of the present page, `size` at a time. */
  slice(items, size) {
    this._pages = Math.max(1, Math.ceil(items.length / Math.max(1, size)));
    this.page = Math.min(this.page, this._pages - 1);
    mark(this.node, "data-needed", this._pages > 1);
    put(this._count, this._words.t("pager.count", { n: this.page + 1, of: this._pages }));
    mark(this._back, "disabled", this.page === 0);
    mark(this._next, "disabled", this.page === this._pages - 1);
    return items.slice(this.page * size, (this.page + 1) * size);
  }

  _go(step) {
    this.page = Math.max(0, Math.min(this._pages - 1, this.page + step));
    this._turn();
  }
}

/** How many rows of a height in rem fit a node, below a head. */
export function rowsIn(node, rem, head = 0) {
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return Math.max(3, Math.floor((node.clientHeight + 1 - head * size) / (rem * size)));
}
