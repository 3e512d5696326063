// What is so at this moment and asks for no alert, and the questions that wait for an answer.

import { button, h, prose, put, refill, show } from "./dom.js";

const MOST = 2;
const ACTS = { asked: "notes.answer", no: "notes.answer", learned: "notes.undo" };

/** The first two, the second by its title; `brief`: the title of the first alone. */
export class Notes {
  constructor(app, brief = false) {
    this._app = app;
    this._most = brief ? 1 : MOST;
    this._brief = brief;
    this._list = h("div", { class: "notes-list" });
    this._more = h("p", { class: "more" });
    this.node = h("div", { class: "notes" }, this._list, this._more);
  }

  /** True where there is something to say. */
  update(snapshot) {
    const { words, said, live } = this._app;
    const told = (live ? said?.notices : null) ?? [];
    const all = told.length === snapshot.notices.length ? snapshot.notices : [];
    show(this.node, all.length > 0);
    refill(this._list, JSON.stringify([all.map(actOf), told, words.language]), () => all.slice(0, this._most).map((notice, i) => this._note(notice, told[i], !this._brief && i === 0)));
    show(this._more, all.length > this._most);
    put(this._more, words.t("notes.more", { n: all.length - this._most }));
    return all.length > 0;
  }

  _note(notice, { title, text }, alone) {
    const { words } = this._app;
    const act = actOf(notice);
    const press = act ? button(words.t(ACTS[act]), () => (act === "learned" ? this._app.undoProgram(notice) : this._app.programChanged(notice, title, text)), { "data-command": true }) : null;
    return h("div", { class: "note", "data-kind": notice.kind }, h("div", { class: "note-text" }, h("h3", {}, title), alone ? h("p", {}, ...prose(text)) : null), press);
  }
}

function actOf(notice) {
  return notice.kind === "program_learned" ? "learned" : notice.answer;
}
