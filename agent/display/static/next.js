// Without an alert: whether all is well, and what comes next.

import { button, h, mark, prose, put, refill, show } from "./dom.js";
import { nearness, nextTool, openChecklists, toolLabel, toolName, toolState } from "./facts.js";
import { Notes } from "./notes.js";
import { progress, shape } from "./shapes.js";
import { countersLine, worstVibration } from "./strip.js";

export class Next {
  constructor(app) {
    const { words } = app;
    this._app = app;
    this._shape = h("span", { class: "next-shape" });
    this._title = h("h2");
    this._means = h("p", { class: "means" });
    this._helpsText = h("span");
    this._helps = h("p", { class: "helps" }, h("strong", {}, words.t("alert.todo")), " ", this._helpsText);
    this._notes = new Notes(app);
    this._tool = row(words.t("next.tool"));
    this._vibration = row(words.t("next.vibration"));
    this._vibration.bar.classList.add("usual");
    this._counters = row(words.t("next.counters"));
    this._lists = button("", () => app.go("maintenance"), { class: "lists" });
    this.node = h(
      "article",
      { class: "panel next" },
      h("div", { class: "next-head" }, this._shape, h("div", {}, this._title, this._means, this._helps)),
      this._notes.node,
      this._tool.node,
      this._vibration.node,
      this._counters.node,
      this._lists,
    );
  }

  update(snapshot) {
    const { words, live } = this._app;
    const word = live ? snapshot.coverage.word : "LOST";
    const { n, of } = snapshot.coverage;
    mark(this.node, "data-word", word);
    refill(this._shape, `${word}${n}/${of}`, () => [word === "LEARNING" ? progress(n, of) : shape(word)]);
    put(this._title, words.t(`next.${word}.title`));
    const said = live ? this._app.said?.coverage : null;
    const means = said ? said.means : words.t("next.LOST.means");
    refill(this._means, means, () => prose(means));
    const helps = said ? said.helps : words.t("next.LOST.helps");
    show(this._helps, Boolean(helps) && word !== "MONITORING" && word !== "OFF");
    refill(this._helpsText, helps, () => prose(helps));
    // A notice takes the room of what can wait.
    const noted = this._notes.update(snapshot);
    show(this._tool.node, !noted);
    show(this._counters.node, !noted);
    this._updateTool(nextTool(snapshot));
    this._updateVibration(snapshot);
    if (noted) show(this._vibration.node, false);
    put(this._counters.value, countersLine(snapshot, words));
    show(this._counters.bar, false);
    const open = openChecklists(snapshot).length;
    show(this._lists, open > 0);
    put(this._lists, words.t("next.lists", { n: open }));
  }

  _updateTool(tool) {
    const { words } = this._app;
    show(this._tool.bar, Boolean(tool));
    if (!tool) {
      const lost = this._app.snapshot.tools.some((one) => one.word === "LOST");
      put(this._tool.value, words.t(lost ? "next.no_signal" : "next.no_tool"));
      put(this._tool.more, "");
      return;
    }
    put(this._tool.value, [toolLabel(tool.tool), toolName(tool, words)].filter(Boolean).join(" "));
    put(this._tool.more, toolState(tool, words).main);
    this._tool.fill.style.width = `${Math.round(Math.min(1, nearness(tool)) * 100)}%`;
  }

  _updateVibration(snapshot) {
    const { words, said } = this._app;
    const worst = worstVibration(snapshot);
    show(this._vibration.node, Boolean(worst));
    show(this._vibration.bar, Boolean(worst) && worst.velocity_rms !== null && worst.baseline_rms > 0);
    if (!worst) return;
    const invalid = said?.vibrations[snapshot.vibrations.indexOf(worst)] ?? "";
    if (worst.velocity_rms === null) {
      put(this._vibration.value, words.t("vibration.unknown"));
      put(this._vibration.more, invalid);
      return;
    }
    put(this._vibration.value, words.unit(words.number(worst.velocity_rms, 1), "mm/s"));
    put(this._vibration.more, worst.baseline_rms ? words.t("vibration.usual", { value: words.number(worst.baseline_rms, 1) }) : words.t("vibration.learns"));
    if (worst.baseline_rms > 0) this._vibration.fill.style.width = `${Math.round(Math.min(1, worst.velocity_rms / (worst.baseline_rms * 2)) * 100)}%`;
  }
}

function row(title) {
  const value = h("span", { class: "value", "data-value": true });
  const more = h("span", { class: "more", "data-value": true });
  const fill = h("span", { class: "fill" });
  const bar = h("span", { class: "bar" }, fill);
  const node = h("div", { class: "row" }, h("div", { class: "row-line" }, h("h3", {}, title), more), h("div", { class: "row-line" }, value, bar));
  return { node, value, more, fill, bar };
}
