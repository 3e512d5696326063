// The page: one stream in, one view out, drawn anew whenever something arrives and a few times a second for the ages.

import { Ask, Notice } from "./ask.js";
import { post } from "./commands.js";
import { Detail } from "./detail.js";
import { button, h, mark } from "./dom.js";
import { toolLabel } from "./facts.js";
import { Header } from "./header.js";
import { History } from "./history.js";
import { Installer } from "./installer.js";
import { Machine } from "./machine.js";
import { Maintenance } from "./maintenance.js";
import { Stream } from "./stream.js";
import { Tools } from "./tools.js";
import { fetchWords } from "./words.js";

const TICK = 200; // ms
const VIEWS = { machine: Machine, tools: Tools, maintenance: Maintenance, history: History, installer: Installer, detail: Detail };
const PLACES = ["machine", "tools", "maintenance", "history", "installer"];
const RELOADED = "broche.reloaded";
const LANGUAGE = "broche.language";
const REASONS = ["worn", "broken", "planned"];
const MOST_VB = 200; // hundredths of a mm: what is beyond is no edge any more

class App {
  constructor(words) {
    this.stream = new Stream((name, content) => this._receive(name, content));
    this.ask = new Ask();
    this.notice = new Notice();
    this.snapshot = null;
    this.said = null;
    this.history = null;
    this.health = null;
    this.live = false;
    this.broken = false;
    this.place = "machine";
    this.subject = null;
    this._from = "machine";
    this._speak(words);
    setInterval(() => this._tick(), TICK);
    for (const event of ["visibilitychange", "resume", "focus", "pageshow"]) {
      (event === "focus" || event === "pageshow" ? window : document).addEventListener(event, () => this._tick());
    }
    window.addEventListener("resize", () => this.render());
  }

  get narrow() {
    return !matchMedia("(min-width: 1000px) and (min-height: 560px)").matches;
  }

  /** Open a view; `subject` is a tool or an alert. */
  go(place, subject = null) {
    if (this.place !== "detail") this._from = this.place;
    this.place = place;
    this.subject = subject;
    this._place();
    window.scrollTo(0, 0);
  }

  back() {
    this.go(this._from);
  }

  /** Send a command and say what became of it. */
  async send(command) {
    const { accepted, text } = await post(command, this.words);
    this.notice.say(accepted ? this.words.t("command.done") : this.words.t("command.refused", { reason: text }), !accepted);
    return accepted;
  }

  acknowledge(alert) {
    return this.send({ command: "acknowledge", alert: alert.id });
  }

  async falseAlarm(alert) {
    if (await this._sure("ask.false_alarm", {})) await this.send({ command: "false_alarm", alert: alert.id });
  }

  correct(alert) {
    return this.send({ command: "correct", alert: alert.id });
  }

  async undoTuning(tuning) {
    if (await this._sure("ask.undo_tuning", {})) await this.send({ command: "undo_tuning", tuning: tuning.id });
  }

  async programChanged({ program }, title, text) {
    const { words } = this;
    const answers = ["no", "yes"].map((value) => ({ label: words.t(`notes.${value}`), value, primary: value === "yes" }));
    const answer = await this.ask.choose(`${title} ${text}`, answers, words.t("notes.later"));
    if (answer !== null) await this.send({ command: "program_changed", program, answer });
  }

  async undoProgram({ program }) {
    if (await this._sure("ask.undo_program", {})) await this.send({ command: "undo_program", program });
  }

  async toolChanged(tool, spindle) {
    const { words } = this;
    const reasons = REASONS.map((value) => ({ label: words.t(`reason.${value}`), value, primary: value === REASONS[0] }));
    const reason = await this.ask.choose(words.t("ask.tool_changed", { tool: toolLabel(tool) }), reasons, words.t("ask.no"));
    if (reason !== null) await this.send({ command: "tool_changed", tool, spindle, reason });
  }

  stillGood(tool, spindle) {
    return this.send({ command: "still_good", tool, spindle });
  }

  /** Flank wear in mm, starting from the last one. */
  async measure({ tool, spindle, vb }) {
    const { words } = this;
    const shown = (hundredths) => words.unit(words.number(hundredths / 100, 2), "mm");
    const start = Math.round((vb ?? 0.1) * 100);
    const asked = { start, most: MOST_VB, shown, yes: words.t("ask.record"), no: words.t("ask.cancel") };
    const found = await this.ask.figure(words.t("ask.measure", { tool: toolLabel(tool) }), asked);
    if (found !== null) await this.send({ command: "measure", tool, spindle, vb: found / 100 });
  }

  render() {
    // A view that could not be drawn shows old figures: then nothing may look live.
    this.live = this.stream.live() && !this.broken;
    this.broken = true;
    document.body.classList.toggle("lost", !this.live);
    document.body.classList.toggle("starting", this.snapshot === null);
    this._header.update();
    this._view.update();
    for (const node of document.querySelectorAll("[data-command]")) mark(node, "disabled", !this.live || node.hasAttribute("data-locked"));
    this.broken = false;
  }

  _sure(key, values) {
    return this.ask.ask(this.words.t(key, values), this.words.t("ask.yes"), this.words.t("ask.no"));
  }

  _speak(words) {
    this.words = words;
    this._header = new Header(this);
    this._views = {};
    this._nav = h("nav", { "aria-label": words.t("nav.label") });
    for (const place of PLACES) this._nav.append(button(words.t(`nav.${place}`), () => this.go(place), { "data-place": place }));
    for (const language of words.languages.filter((one) => one !== words.language)) {
      this._nav.append(button(language.toUpperCase(), () => this._switch(language), { class: "language", lang: language, "aria-label": words.t(`language.${language}`) }));
    }
    this._slot = h("div", { class: "slot" });
    document.body.replaceChildren(this._header.node, this._slot, this._nav, this.ask.node, this.notice.node);
    this.said = null;
    this.history = null;
    this._place();
    this.stream.open(words.language);
  }

  async _switch(language) {
    const words = await fetchWords(language);
    remember(language);
    this._speak(words);
  }

  _place() {
    this._views[this.place] ??= new VIEWS[this.place](this);
    this._view = this._views[this.place];
    if (this._slot.firstChild !== this._view.node) this._slot.replaceChildren(this._view.node);
    document.body.dataset.place = this.place;
    const here = this.place === "detail" ? this._from : this.place;
    for (const node of this._nav.children) mark(node, "aria-current", node.dataset.place === here ? "page" : null);
    this.render();
  }

  _receive(name, content) {
    if (name === "state") {
      this.snapshot = content.snapshot;
      if (content.build !== this.words.build) reload();
    } else if (name === "said") {
      this.said = content;
    } else {
      this[name] = content;
    }
    if (name === "state") queueMicrotask(() => this.render());
  }

  _tick() {
    this.stream.check();
    this.render();
  }
}

/** The agent was renewed: so must be the page, but never in a circle. */
function reload() {
  const last = Number(sessionStorage.getItem(RELOADED) ?? 0);
  if (Date.now() - last < 60_000) return;
  sessionStorage.setItem(RELOADED, String(Date.now()));
  location.reload();
}

function remember(language) {
  try {
    localStorage.setItem(LANGUAGE, language);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}

function remembered() {
  try {
    return localStorage.getItem(LANGUAGE);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return null;
  }
}

async function start() {
  try {
    new App(await fetchWords(remembered() ?? document.documentElement.lang));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    setTimeout(start, 1000);
  }
}

start();
