// One alert in full: what was seen, in a picture and in words; beside it what to do, what speaks for it, and what it could be instead.

import { bodyOf, sinceOf } from "./card.js";
import { ChecklistPanel } from "./checklist.js";
import { button, h, mark, put, refill, show } from "./dom.js";
import { Explained } from "./explained.js";
import { Picture } from "./picture.js";
import { shape } from "./shapes.js";
import { Tabs } from "./tabs.js";
import { Doubts, Evidence } from "./why.js";

export class Detail {
  constructor(app) {
    const { words } = app;
    this._app = app;
    this._alert = null;
    this._shape = h("span", { class: "card-shape" });
    this._title = h("h2");
    this._since = h("p", { class: "since" });
    this._body = h("div", { class: "card-body" });
    this._picture = new Picture();
    this._caption = h("p", { class: "caption" });
    this._explained = new Explained(app, () => app.render());
    this._acknowledge = button(words.t("alert.acknowledge"), () => app.acknowledge(this._alert), { "data-command": true });
    this._false = button(words.t("alert.false_alarm"), () => app.falseAlarm(this._alert), { "data-command": true });
    this._correct = button(words.t("alert.correct"), () => app.correct(this._alert), { "data-command": true });
    this._tuned = h("span");
    this._undo = button(words.t("alert.undo"), () => app.undoTuning(this._tuning), { "data-command": true });
    this._tuning = null;
    this._tuningBox = h("p", { class: "tuning" }, this._tuned, this._undo);
    this._changed = button(words.t("alert.tool_changed"), () => app.toolChanged(this._alert.tool, this._alert.spindle), { "data-command": true });
    this._state = h("p", { class: "seen" });
    this._checklist = new ChecklistPanel(app);
    this._evidence = new Evidence(words);
    this._doubts = new Doubts(words);
    const views = [
      { name: "todo", text: words.t("detail.tab.todo"), node: this._checklist.node },
      { name: "evidence", text: words.t("detail.tab.evidence"), node: this._evidence.node },
      { name: "doubts", text: words.t("detail.tab.doubts"), node: this._doubts.node },
    ];
    this._tabs = new Tabs(words.t("detail.tab.label"), views, () => app.render());
    this._alertPanel = h(
      "section",
      { class: "panel about" },
      h(
        "div",
        { class: "card-head" },
        h("button", { type: "button", class: "back", "aria-label": words.t("detail.back"), onclick: () => app.back() }, shape("back")),
        this._shape,
        h("div", {}, this._title, this._since),
      ),
      this._body,
      this._picture.node,
      this._caption,
      this._tuningBox,
      h("div", { class: "actions" }, this._acknowledge, this._state, this._correct, this._false, this._changed),
    );
    const right = h("div", { class: "beside" }, this._tabs.bar, ...views.map((view) => view.node));
    this.node = h("main", { class: "detail" }, this._alertPanel, right);
  }

  update() {
    const { app, alert, told } = this._find();
    const { words, snapshot, said, stream } = app;
    if (!alert || !snapshot) return;
    if (this._alert?.id !== alert.id) this._tabs.begin();
    this._alert = alert;
    mark(this._alertPanel, "data-severity", alert.state === "cleared" ? null : alert.severity);
    refill(this._shape, alert.severity, () => [shape(alert.severity)]);
    put(this._title, told.title);
    put(this._since, sinceOf(alert, words, stream.now()));
    const why = this._explained.of(alert);
    const short = { text: told.text, others: told.others };
    refill(this._body, JSON.stringify(short), () => bodyOf(short, words));
    put(this._caption, why ? why.picture || words.t("detail.no_picture") : "");
    // A panel that is not seen has no size, and its letters could not be made to fit.
    if (this._tabs.shown === "evidence") this._evidence.update(why, told.evidence);
    if (this._tabs.shown === "doubts") this._doubts.update(why);
    const open = alert.state === "active";
    show(this._acknowledge, open);
    show(this._state, !open);
    put(this._state, words.t(verdict(alert)));
    show(this._correct, alert.state !== "cleared" && !alert.correct);
    this._tuning = snapshot.tunings.find((one) => one.alert === alert.id) ?? null;
    show(this._tuningBox, this._tuning !== null);
    if (this._tuning) put(this._tuned, tunedText(this._tuning, words));
    show(this._false, alert.state !== "cleared" && !alert.false_alarm);
    show(this._changed, Boolean(alert.tool) && alert.state !== "cleared");
    const checklist = snapshot.checklists.find((one) => one.id === alert.checklist || one.alert === alert.id);
    if (this._tabs.shown === "todo") this._checklist.update(checklist, checklist && said?.checklists[checklist.id]);
    // Last: what stands around the picture decides its size.
    this._picture.update(why, words.language);
  }

  _find() {
    const app = this._app;
    const open = app.snapshot?.alerts.find((one) => one.id === app.subject);
    if (open && app.said?.alerts[open.id]) return { app, alert: open, told: app.said.alerts[open.id] };
    const past = app.history?.find((one) => one.alert.id === app.subject);
    return { app, alert: past?.alert, told: past?.said };
  }
}

/** The key of what became of an alert, the operator's own verdict first. */
export function verdict(alert) {
  if (alert.false_alarm) return "alert.was_false";
  return alert.correct ? "alert.was_correct" : `alert.state.${alert.state}`;
}

function tunedText(tuning, words) {
  const by = tuning.by && tuning.by !== "page" ? words.t("alert.tuned_by", { by: tuning.by }) : "";
  const wider = tuning.after > tuning.before;
  return words.t(wider ? "alert.tuned" : "alert.narrowed", { by, pct: Math.round(100 * (tuning.after / tuning.before - 1)) });
}
