// Below an alert: the spindle in one line, and how many alerts wait behind the first.

import { button, h, put, show } from "./dom.js";
import { Notes } from "./notes.js";

export class Strip {
  constructor(app) {
    this._app = app;
    this._vibration = h("p", { "data-value": true });
    this._counters = h("p", { "data-value": true });
    this._notes = new Notes(app, true);
    this._others = button("", () => app.go("history"), { class: "others" });
    this.node = h("div", { class: "panel strip" }, h("div", { class: "strip-text" }, this._vibration, this._counters, this._notes.node), this._others);
  }

  update(snapshot, others) {
    const { words, said } = this._app;
    show(this._others, others > 0);
    put(this._others, words.t("alert.others", { n: others }));
    const noted = this._notes.update(snapshot);
    show(this._vibration, !noted);
    show(this._counters, !noted);
    put(this._vibration, vibrationLine(snapshot, said, words));
    put(this._counters, countersLine(snapshot, words));
  }
}

/** 'Vibration 1,1 mm/s, habituel 1,0'. */
export function vibrationLine(snapshot, said, words) {
  const worst = worstVibration(snapshot);
  if (!worst) return "";
  const invalid = said?.vibrations[snapshot.vibrations.indexOf(worst)];
  if (worst.velocity_rms === null) return words.t("vibration.none", { reason: invalid || words.t("vibration.unknown") });
  const value = words.unit(words.number(worst.velocity_rms, 1), "mm/s");
  if (worst.baseline_rms === null) return words.t("vibration.learning", { value });
  return words.t("vibration.line", { value, usual: words.number(worst.baseline_rms, 1) });
}

/** The channel that is farthest above its usual level. */
export function worstVibration(snapshot) {
  const rise = (v) => (v.velocity_rms === null ? -1 : v.velocity_rms / (v.baseline_rms || Infinity));
  return [...snapshot.vibrations].sort((a, b) => rise(b) - rise(a))[0];
}

export function countersLine(snapshot, words) {
  const { parts, cuts } = snapshot.counters;
  return [words.t("counters.parts", { n: parts }), words.t("counters.cuts", { n: cuts })].join(" · ");
}
