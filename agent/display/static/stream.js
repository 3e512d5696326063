// The event stream, and whether what it brought may still be believed.

const SILENCE = 1500; // ms without a word from the agent: it beats at least every 500 ms
const STALE = 2; // s that the newest snapshot may be old
const LATE = 1.5; // s that an event may have waited on its way: a frozen tab is handed old ones when it wakes
const DRIFT = 0.001; // s a second by which two clocks may part
const RETRY = 1000; // ms
const GIVE_UP = 3000; // ms of silence after which a connection is made anew

const EVENTS = ["said", "history", "health", "state", "beat"];

export class Stream {
  constructor(receive) {
    this._receive = receive;
    this._source = null;
    this._retry = 0;
    this._opened = 0;
    this._heard = -Infinity;
    this._now = null;
    this._age = null;
    this._least = null;
    this._late = false;
  }

  open(language) {
    clearTimeout(this._retry);
    this._source?.close();
    this._opened = performance.now();
    this._least = null;
    const source = new EventSource(`/events?lang=${encodeURIComponent(language)}`);
    this._source = source;
    this._language = language;
    for (const name of EVENTS) source.addEventListener(name, (event) => this._take(name, event));
    source.addEventListener("error", () => this._again());
  }

  /** Whether every figure on the page may look live. */
  live() {
    if (performance.now() - this._heard > SILENCE || this._late || this._age === null) return false;
    return this._age + this.silence() < STALE;
  }

  /** s since the agent was last heard; Infinity: never. */
  silence() {
    return (performance.now() - this._heard) / 1000;
  }

  /** s since the newest snapshot was shown; null: there was none. */
  age() {
    return this._age === null ? null : this._age + this.silence();
  }

  /** The agent's time now, axis of the readings; null: not known. */
  now() {
    return this._now === null ? null : this._now + this.silence();
  }

  /** Called a few times a second. */
  check() {
    if (performance.now() - Math.max(this._heard, this._opened) > GIVE_UP) this._again();
  }

  _take(name, event) {
    const content = JSON.parse(event.data);
    if (name === "beat") this._hear(content);
    else this._receive(name, content);
  }

  _hear(content) {
    const now = performance.now();
    const lead = now / 1000 - content.now;
    const passed = Number.isFinite(this._heard) ? (now - this._heard) / 1000 : 0;
    this._least = this._least === null ? lead : Math.min(lead, this._least + passed * DRIFT);
    this._late = lead - this._least > LATE;
    this._heard = now;
    this._now = content.now;
    this._age = content.age;
  }

  _again() {
    if (!this._source) return;
    this._source.close();
    this._source = null;
    this._opened = performance.now();
    this._retry = setTimeout(() => this.open(this._language), RETRY);
  }
}
