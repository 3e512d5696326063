// Questions that several views ask of a snapshot.

const RANK = { urgent: 0, warning: 1, advice: 2 };
const STATES = { active: 0, acknowledged: 1, cleared: 2 };

/** 'T4'. */
export function toolLabel(tool) {
  // "~3": no tool, but the third cut of a part, where the control names none.
  if (tool.startsWith("~")) return `#${tool.slice(1)}`;
  return /^\d/.test(tool) ? `T${tool}` : tool;
}

export function toolName(tool, words) {
  return (words.language === "en" && tool.name_en) || tool.name;
}

export function findTool(snapshot, number) {
  return snapshot.tools.find((tool) => tool.tool === number);
}

/** Most severe first, unacknowledged before acknowledged, newest first. */
export function ranked(alerts) {
  return [...alerts].sort((a, b) => STATES[a.state] - STATES[b.state] || RANK[a.severity] - RANK[b.severity] || b.raised - a.raised);
}

/** How near a tool is to its limit, 0 to 1 and beyond; -1: not known. */
export function nearness(tool) {
  return tool.wear === null || !(tool.wear_limit > 0) ? -1 : Math.max(0, tool.wear / tool.wear_limit);
}

/** The tool that will be due first, if any is known to wear. */
export function nextTool(snapshot) {
  const due = (tool) => tool.parts_low ?? Infinity;
  const known = snapshot.tools.filter((tool) => (nearness(tool) >= 0 || tool.parts_low !== null) && tool.word !== "LOST");
  return known.sort((a, b) => due(a) - due(b) || nearness(b) - nearness(a))[0];
}

/** The tools for as many cards as there are: the ones that matter, in the order of their positions. */
export function chosenTools(snapshot, cards) {
  if (snapshot.tools.length <= cards) return snapshot.tools;
  const weight = (tool) => (tool.alert ? 4 : 0) + (tool.tool === snapshot.context.tool ? 2 : 0) + nearness(tool);
  const best = new Set([...snapshot.tools].sort((a, b) => weight(b) - weight(a)).slice(0, cards - 1));
  return snapshot.tools.filter((tool) => best.has(tool));
}

/** The spindle to show: the chosen one, else one that cuts, else the first. */
export function shownSpindle(snapshot, chosen) {
  const byName = snapshot.spindles.find((spindle) => spindle.name === chosen);
  return byName ?? snapshot.spindles.find((spindle) => spindle.cut?.open) ?? snapshot.spindles[0];
}

export function openChecklists(snapshot) {
  return snapshot.checklists.filter((checklist) => !checklist.done);
}

/** Steps with those of safety first. */
export function stepsOf(checklist) {
  return [...checklist.steps.filter((s) => s.kind === "safety"), ...checklist.steps.filter((s) => s.kind !== "safety")];
}

export function ticked(checklist) {
  return checklist.steps.filter((step) => step.result).length;
}

/** What the signal can show of this tool, in one line; '' while too little is known. */
export function sees(tool, words) {
  const { promise } = tool;
  const smallest = promise?.smallest_change ?? tool.smallest_change;
  if (!promise) return smallest === null ? "" : words.t("tool.smallest", { change: words.percent(smallest, true) });
  if (!promise.missing) return words.t("tool.sees.nothing");
  const key = promise.breakage ? ["all", "all_but_wear"] : ["no_break", "no_break_no_wear"];
  return smallest === null ? words.t(`tool.sees.${key[1]}`) : words.t(`tool.sees.${key[0]}`, { change: words.percent(smallest, true) });
}

/** 'reste 3-9 pièces', or that it is due. */
export function partsLeft(tool, words) {
  const range = { low: words.number(tool.parts_low), high: words.number(tool.parts_high) };
  return words.t(tool.parts_high > 0 ? "tool.left" : "tool.due", range);
}

/** What the figure rests on: '3 mesures', '5 outils précédents, 67 %'. */
export function basisOf(tool, words) {
  return words.t(`tool.basis.${tool.basis}`, { n: tool.basis_n, level: words.percent(tool.basis_level) });
}

/** 'reste 3-9 pièces', 'usure +8 %', 'apprentissage 3/5', in that order of worth; `main` for the glance, `more` beside it. */
export function toolState(tool, words) {
  const more = sees(tool, words);
  if (tool.word === "LOST") return { main: words.t("tool.lost"), more: "" };
  const counted = tool.parts_low !== null && tool.parts_high !== null;
  // The clock and what was typed hold where no signal does.
  if (tool.word === "NOT_MONITORABLE") return { main: words.t("tool.not_monitorable"), more: counted ? partsLeft(tool, words) : "" };
  if (tool.word === "LEARNING") return { main: words.t("tool.learning", { n: tool.n, of: tool.of }), more: counted ? partsLeft(tool, words) : more };
  if (tool.word === "HOLD") return { main: words.t(words.has(`tool.held.${tool.reason}`) ? `tool.held.${tool.reason}` : "tool.held.other"), more };
  if (tool.wear === null) return counted ? { main: partsLeft(tool, words), more } : { main: words.t("tool.no_wear"), more };
  const wear = words.t("tool.wear", { wear: words.percent(tool.wear, true) });
  return counted ? { main: partsLeft(tool, words), more: wear } : { main: wear, more };
}
