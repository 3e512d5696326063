// A question before a step that cannot be taken back, and the word that a command was heard or refused.

import { button, h, put, show } from "./dom.js";

export class Ask {
  constructor() {
    this._text = h("p");
    this._yes = button("", () => this._close(true), { class: "primary" });
    this._no = button("", () => this._close(false));
    this.node = h("dialog", { class: "ask", oncancel: () => this._close(false) }, this._text, h("div", { class: "pair" }, this._no, this._yes));
    this._answer = null;
  }

  /** True if the operator says yes. */
  ask(text, yes, no) {
    this._close(false);
    put(this._text, text);
    put(this._yes, yes);
    put(this._no, no);
    this.node.showModal();
    return new Promise((resolve) => (this._answer = resolve));
  }

  _close(answer) {
    if (this.node.open) this.node.close();
    this._answer?.(answer);
    this._answer = null;
  }
}

export class Notice {
  constructor() {
    this.node = h("p", { class: "notice", role: "status", hidden: true });
    this._timer = 0;
  }

  say(text, bad) {
    put(this.node, text);
    this.node.classList.toggle("bad", bad);
    show(this.node, true);
    clearTimeout(this._timer);
    this._timer = setTimeout(() => show(this.node, false), bad ? 8000 : 2500);
  }
}
