// One step of a checklist at a time, in letters that can be read standing; what protects the hand comes first and stays in sight.

import { fit, h, mark, prose, put, refill, show } from "./dom.js";
import { stepsOf, ticked } from "./facts.js";
import { shape } from "./shapes.js";

const RESULTS = ["ok", "corrected", "escalate"];

export class ChecklistPanel {
  constructor(app) {
    const { words } = app;
    this._app = app;
    this._list = null;
    this._step = "";
    this._title = h("h2");
    this._count = h("p", { class: "count" });
    this._safety = h("p", { class: "safety" });
    this._kind = h("p", { class: "kind" });
    this._text = h("p", { class: "step-text" });
    this._done = h("p", { class: "step-done" });
    this._buttons = RESULTS.map((result) =>
      h("button", { type: "button", class: "tick", "data-result": result, "data-command": true, onclick: () => this._tick(result) }, shape(result), h("span", {}, words.t(`step.result.${result}`))),
    );
    this._dots = h("div", { class: "dots", "aria-hidden": "true" });
    this._back = h("button", { type: "button", "aria-label": words.t("step.back"), onclick: () => this._walk(-1) }, shape("back"));
    this._next = h("button", { type: "button", "aria-label": words.t("step.next"), onclick: () => this._walk(1) }, shape("next"));
    this._box = h("div", { class: "step" }, this._kind, this._text, this._done);
    this.node = h(
      "section",
      { class: "panel checklist" },
      h("div", { class: "checklist-head" }, this._title, this._count),
      h("div", { class: "safety-box" }, shape("safety"), this._safety),
      this._box,
      h("div", { class: "ticks" }, ...this._buttons),
      h("div", { class: "walk" }, this._back, this._dots, this._next),
    );
    this._none = h("p", { class: "none" }, words.t("checklist.none"));
    this.node.append(this._none);
  }

  update(checklist, said) {
    const known = Boolean(checklist && said);
    for (const child of this.node.children) show(child, (child === this._none) !== known);
    if (!known) return;
    if (this._list?.id !== checklist.id) this._step = "";
    const before = this._list;
    this._list = checklist;
    const steps = stepsOf(checklist);
    this._advance(before, steps);
    put(this._title, said.title);
    put(this._count, this._app.words.t("checklist.count", { n: ticked(checklist), of: steps.length }));
    put(this._safety, said.safety);
    const step = steps.find((one) => one.id === this._step);
    show(this._safety.parentNode, Boolean(said.safety) && step?.kind !== "safety");
    mark(this._box, "data-kind", step?.kind);
    if (step) this._show(step, steps, said);
    this._showDots(steps);
  }

  // A step that was just ticked gives way to the next open one; a step that the operator chose stays.
  _advance(before, steps) {
    const now = steps.find((step) => step.id === this._step);
    const was = before?.steps.find((step) => step.id === this._step);
    const settled = now && was && now.result && was.result !== now.result;
    if (now && !settled) return;
    const from = now ? steps.indexOf(now) + 1 : 0;
    const open = [...steps.slice(from), ...steps.slice(0, from)].find((step) => !step.result);
    this._step = (open ?? now ?? steps[0])?.id ?? "";
  }

  _show(step, steps, said) {
    const { words } = this._app;
    const safe = steps.every((one) => one.kind !== "safety" || ["ok", "corrected"].includes(one.result));
    const unsafe = step.kind !== "safety" && !safe;
    const over = this._list.done;
    const number = words.t("step.number", { n: steps.indexOf(step) + 1, of: steps.length });
    put(this._kind, [number, words.t(`step.kind.${step.kind}`)].join(" · "));
    const text = said.steps[step.id];
    if (refill(this._text, `${innerWidth}x${innerHeight}${step.id}${text}`, () => prose(text))) fit(this._text);
    const done = step.result ? words.t(`step.was.${step.result}`, { time: step.time ? words.clock(step.time) : "" }) : "";
    put(this._done, over ? [done, words.t("checklist.done")].filter(Boolean).join(" · ") : unsafe ? words.t("step.safety_first") : done);
    mark(this._done, "data-locked", unsafe && !over);
    for (const node of this._buttons) {
      const call = node.dataset.result === "escalate";
      mark(node, "data-locked", over || (unsafe && !call));
      if (node.dataset.result === "ok") put(node.lastChild, words.t(`step.good.${step.kind}`));
      mark(node, "aria-pressed", String(node.dataset.result === step.result));
    }
  }

  _showDots(steps) {
    const at = steps.findIndex((step) => step.id === this._step);
    mark(this._back, "disabled", at <= 0);
    mark(this._next, "disabled", at >= steps.length - 1);
    const key = JSON.stringify(steps.map((step) => [step.id, step.result, step.id === this._step]));
    refill(this._dots, key, () =>
      steps.map((step, index) => h("span", { "data-here": index === at, "data-result": step.result }, step.result ? shape(step.result) : String(index + 1))),
    );
  }

  _walk(by) {
    const steps = stepsOf(this._list);
    this._step = steps[steps.findIndex((step) => step.id === this._step) + by]?.id ?? this._step;
    this._app.render();
  }

  _tick(result) {
    this._app.send({ command: "tick_step", checklist: this._list.id, step: this._step, result });
  }
}
