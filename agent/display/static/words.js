// Texts and numbers of one language; the strings come from the catalogue of the agent.

const ABSENT = "\u2013";

export class Words {
  constructor(catalogue) {
    this.language = catalogue.language;
    this.languages = catalogue.languages;
    this.version = catalogue.version;
    this.build = catalogue.build;
    this._texts = new Map();
    this._flatten(catalogue.texts, "");
    this._numbers = new Map();
    this._locale = this.language === "fr" ? "fr-FR" : "en-GB";
    this._plural = new Intl.PluralRules(this._locale);
    const zone = { timeZone: catalogue.timezone };
    this._clock = this._dates({ ...zone, hour: "2-digit", minute: "2-digit" });
    this._day = this._dates({ ...zone, day: "numeric", month: "short" });
    this._date = this._dates({ ...zone, day: "2-digit", month: "2-digit" });
  }

  /** The text of a key; `n` chooses between its plural forms, {name} is filled in. */
  t(key, values = {}) {
    const text = this._find(key) ?? this._find(`${key}.${this._plural.select(Math.abs(values.n ?? 0))}`) ?? this._find(`${key}.other`);
    if (text === undefined) return `[${key}]`;
    return text.replace(/\{(\w+)\}/g, (_, name) => this._value(values[name]));
  }

  has(key) {
    return this._find(key) !== undefined;
  }

  /** A number with its decimal comma and narrow spaces. */
  number(value, digits = 0, signed = false) {
    if (value === null || value === undefined || !Number.isFinite(value)) return ABSENT;
    const key = `${digits}${signed}`;
    if (!this._numbers.has(key)) {
      const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
      if (signed) options.signDisplay = "exceptZero";
      this._numbers.set(key, new Intl.NumberFormat(this._locale, options));
    }
    return this._numbers.get(key).format(value).replace("-", "\u2212");
  }

  /** A measured value: as many digits as an eye can use. */
  measure(value, unit, most = 2) {
    if (typeof value === "string") return value;
    if (value === null || value === undefined || !Number.isFinite(value)) return ABSENT;
    const size = Math.abs(value);
    const digits = Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : most;
    return this.unit(this.number(value, digits), unit);
  }

  /** The same for a glance from afar: no digit that flickers. */
  glance(value, unit) {
    return value === null || Math.abs(value) < 10 ? this.measure(value === null ? null : Math.round(value * 10) / 10, unit, 1) : this.measure(Math.round(value), unit);
  }

  unit(text, unit) {
    if (!unit) return text;
    return unit === "%" && this.language === "en" ? `${text}%` : `${text}\u00a0${unit}`;
  }

  percent(fraction, signed = false) {
    return this.unit(this.number(fraction === null || fraction === undefined ? NaN : fraction * 100, 0, signed), "%");
  }

  /** 'il y a 0,2 s'. */
  age(seconds) {
    return this.t("age.ago", { time: this.duration(Math.max(0, seconds)) });
  }

  duration(seconds) {
    if (!Number.isFinite(seconds)) return ABSENT;
    if (seconds < 10) return `${this.number(Math.floor(seconds * 10) / 10, 1)}\u00a0s`;
    if (seconds < 60) return `${this.number(Math.floor(seconds))}\u00a0s`;
    if (seconds < 3600) return `${this.number(Math.floor(seconds / 60))}\u00a0min`;
    const hours = Math.floor(seconds / 3600);
    if (hours < 48) return `${this.number(hours)}\u00a0h\u00a0${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")}`;
    return this.t("age.days", { n: Math.floor(hours / 24) });
  }

  clock(time) {
    return this._clock.format(time * 1000);
  }

  /** '14:32' today, 'le 12 nov.' before. */
  since(time, now) {
    if (this._date.format(time * 1000) === this._date.format(now * 1000)) return this.clock(time);
    return this.t("age.day", { day: this._day.format(time * 1000) });
  }

  /** '12/11 14:32'. */
  stamp(time, now) {
    const clock = this.clock(time);
    return this._date.format(time * 1000) === this._date.format(now * 1000) ? clock : `${this._date.format(time * 1000)} ${clock}`;
  }

  _dates(options) {
    try {
      return new Intl.DateTimeFormat(this._locale, options);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return new Intl.DateTimeFormat(this._locale, { ...options, timeZone: undefined });
    }
  }

  _value(value) {
    return typeof value === "number" ? this.number(value, Number.isInteger(value) ? 0 : 1) : String(value ?? ABSENT);
  }

  _find(key) {
    return this._texts.get(key);
  }

  _flatten(table, prefix) {
    for (const [name, value] of Object.entries(table)) {
      if (typeof value === "string") this._texts.set(prefix + name, value);
      else this._flatten(value, `${prefix}${name}.`);
    }
  }
}

/** The catalogue of a language. */
export async function fetchWords(language) {
  const answer = await fetch(`/api/texts/${encodeURIComponent(language)}`);
  if (!answer.ok) throw new Error(`texts: ${answer.status}`);
  return new Words(await answer.json());
}
