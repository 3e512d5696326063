// Why an alert may be believed, asked of the agent when somebody looks: it is not part of what is told ten times a second.

const EVERY = 3000; // ms between two questions: a cut that was still growing has ended by then

export class Explained {
  /** `heard`: called when there is something new. */
  constructor(app, heard) {
    this._app = app;
    this._heard = heard;
    this._asked = "";
    this._at = -Infinity;
    this._known = null;
  }

  /** What is known of this alert; null until the agent has answered. */
  of(alert) {
    const key = `${alert.id}|${alert.updated}|${alert.count}|${alert.evidence?.part}|${this._app.words.language}`;
    if (key !== this._asked || performance.now() - this._at > EVERY) this._ask(alert, key);
    return this._known?.alert === alert.id ? this._known : null;
  }

  async _ask(alert, key) {
    this._asked = key;
    this._at = performance.now();
    const told = await ask(`/api/alerts/${encodeURIComponent(alert.id)}?lang=${this._app.words.language}`);
    if (key !== this._asked) return;
    if (told) this._known = told;
    this._heard();
  }
}

/** The answer as an object; null where there is none, or nobody answers. */
export async function ask(path) {
  try {
    const answer = await fetch(path, { signal: AbortSignal.timeout(5000) });
    return answer.ok ? await answer.json() : null;
  } catch (error) {
    if (error instanceof ReferenceError) throw error;
    return null;
  }
}
