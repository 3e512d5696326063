// Machine, job, and the one word that says whether all this is watched.

import { h, mark, put, refill } from "./dom.js";
import { findTool, toolLabel, toolName } from "./facts.js";
import { progress, shape } from "./shapes.js";

const EXPLAINED = new Set(["HOLD", "NOT_MONITORABLE", "LOST", "OFF"]); // what the others mean stands in the view

export class Header {
  constructor(app) {
    this._app = app;
    this._machine = h("h1");
    this._job = h("p", { class: "job" });
    this._detail = h("p", { class: "detail" });
    this._shape = h("span", { class: "badge-shape" });
    this._word = h("span", { class: "word" });
    this._reason = h("span", { class: "reason" });
    this._badge = h("div", { class: "badge", role: "status" }, this._shape, h("span", { class: "badge-text" }, this._word, this._reason));
    this.node = h("header", {}, this._machine, h("div", { class: "context" }, this._job, this._detail), this._badge);
  }

  update() {
    const { words, snapshot } = this._app;
    put(this._machine, snapshot?.machine ?? "");
    if (snapshot) this._updateJob(snapshot);
    const { word, shown, reason, n, of } = this._coverage();
    put(this._word, shown);
    put(this._reason, reason);
    mark(this._badge, "data-word", word);
    mark(this._badge, "data-explained", Boolean(reason));
    refill(this._shape, `${word}${n}/${of}`, () => [word === "LEARNING" ? progress(n, of) : shape(word)]);
    const title = `${shown} · ${snapshot?.machine ?? "Broche"}`;
    if (document.title !== title) document.title = title;
    mark(document.documentElement, "lang", words.language);
  }

  _coverage() {
    const { words, snapshot, said, live, stream } = this._app;
    if (!live || !said || !snapshot) {
      const age = stream.age();
      const silent = stream.silence();
      const key = this._app.stream.live() && snapshot && said ? "lost.broken" : age === null ? (Number.isFinite(silent) ? "lost.starting" : "lost.connecting") : "lost.silent";
      return { word: "LOST", shown: words.t("lost.word"), reason: words.t(key, { time: words.duration(Math.max(age ?? 0, silent)) }), n: 0, of: 0 };
    }
    const { word, n, of } = snapshot.coverage;
    const { word: shown, means } = said.coverage;
    return { word, shown, reason: EXPLAINED.has(word) ? means : "", n, of };
  }

  _updateJob(snapshot) {
    const { words } = this._app;
    const { program, part, tool, section, execution, feed_override: feed } = snapshot.context;
    const job = [];
    if (program) job.push(words.t("header.program", { program }));
    if (part !== null) job.push(words.t("header.part", { part: words.number(part) }));
    if (tool) job.push(words.t("header.tool", { tool: toolLabel(tool) }));
    put(this._job, job.join(" · "));
    const detail = [];
    const view = findTool(snapshot, tool);
    if (view && toolName(view, words)) detail.push(toolName(view, words));
    if (section) detail.push(words.t("header.section", { section }));
    if (feed !== null && Math.abs(feed - 100) > 0.5) detail.push(words.t("header.feed", { feed: words.unit(words.number(feed), "%") }));
    if (execution !== "UNAVAILABLE" && words.has(`execution.${execution}`)) detail.push(words.t(`execution.${execution}`));
    put(this._detail, detail.join(" · "));
  }
}
