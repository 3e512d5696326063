// A question before a step that cannot be taken back or that wants a figure, and the word that a command was heard or refused.

import { button, h, put, show } from "./dom.js";

const STEPS = [-5, -1, 1, 5]; // hundredths

export class Ask {
  constructor() {
    this._text = h("p");
    this._stepper = h("div", { class: "stepper", hidden: true });
    this._choices = h("div", { class: "pair" });
    this.node = h("dialog", { class: "ask", oncancel: () => this._close(null) }, this._text, this._stepper, this._choices);
    this._answer = null;
  }

  /** True if the operator says yes. */
  async ask(text, yes, no) {
    return (await this.choose(text, [{ label: yes, value: true, primary: true }], no)) === true;
  }

  /** The value of the choice that was taken; null if none was. `choices`: { label, value, primary }. */
  choose(text, choices, no) {
    show(this._stepper, false);
    return this._open(text, [button(no, () => this._close(null)), ...choices.map((one) => button(one.label, () => this._close(one.value), { class: one.primary ? "primary" : "" }))]);
  }

  /** A figure in hundredths, set with large buttons: no keyboard, no glove off. Null if none was given. */
  figure(text, { start, most, shown, yes, no }) {
    let value = start;
    const field = h("output", { class: "figure" }, shown(value));
    const step = (by) => {
      value = Math.min(most, Math.max(0, value + by));
      put(field, shown(value));
    };
    const keys = STEPS.map((by) => button(`${by < 0 ? "\u2212" : "+"}${shown(Math.abs(by))}`, () => step(by)));
    this._stepper.replaceChildren(keys[0], keys[1], field, keys[2], keys[3]);
    show(this._stepper, true);
    return this._open(text, [button(no, () => this._close(null)), button(yes, () => this._close(value), { class: "primary" })]);
  }

  _open(text, buttons) {
    this._close(null);
    put(this._text, text);
    this._choices.replaceChildren(...buttons);
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
