// Small drawings on a 24 x 24 grid: every state has a shape of its own, so that no colour stands alone.

import { svg } from "./dom.js";

const line = (d, extra = {}) => ["path", { d, fill: "none", stroke: "currentColor", "stroke-width": 2.6, "stroke-linecap": "round", "stroke-linejoin": "round", ...extra }];
const solid = (d, extra = {}) => ["path", { d, fill: "currentColor", ...extra }];
const ring = (r = 9.5, extra = {}) => ["circle", { cx: 12, cy: 12, r, fill: "none", stroke: "currentColor", "stroke-width": 2.6, ...extra }];

const SHAPES = {
  MONITORING: [ring(), line("M7.5 12.3l3.2 3.2 6-6.6")],
  PROVISIONAL: [ring(9.5, { "stroke-dasharray": "3.6 2.4" }), line("M7.5 12.3l3.2 3.2 6-6.6")],
  HOLD: [ring(), line("M9.6 8.4v7.2M14.4 8.4v7.2")],
  NOT_MONITORABLE: [ring(), line("M5.4 18.6L18.6 5.4")],
  LOST: [line("M1.5 12h4M18.500 12h4"), line("M8.500 8.500l7 7M15.500 8.500l-7 7", { "stroke-width": 3 })],
  OFF: [line("M12 3v8.5"), line("M7.2 6.3a8.3 8.3 0 1 0 9.6 0")],
  advice: [ring(), line("M12 11v6M12 7.2v.1")],
  warning: [solid("M12 2.2L23 21.5H1z"), ["path", { d: "M12 9v6M12 18.2v.1", stroke: "var(--on-shape, #fff)", "stroke-width": 2.4, "stroke-linecap": "round" }]],
  urgent: [solid("M7.5 1.5h9l6 6v9l-6 6h-9l-6-6v-9z"), ["path", { d: "M12 6.5v7M12 17.2v.1", stroke: "var(--on-shape, #fff)", "stroke-width": 2.8, "stroke-linecap": "round" }]],
  ok: [line("M4.5 12.8l5 5L19.8 6.6", { "stroke-width": 3.2 })],
  corrected: [line("M14.2 6.4a4.6 4.6 0 0 1 5.6-2l-2.9 2.9.4 2 2 .4 2.4-2.4a4.6 4.6 0 0 1-6 5.6l-7.6 7.6a2.1 2.1 0 0 1-3-3l7.6-7.6a4.6 4.6 0 0 1 1.5-3.5z", { "stroke-width": 2 })],
  escalate: [solid("M6.6 2.8l3 .6 1.2 4.6-2.2 1.8a12 12 0 0 0 5.6 5.6l1.8-2.2 4.6 1.2.6 3c-.4 2.2-2 3.6-4.2 3.6C9.6 20.400 3.600 14.400 3 7c0-2.200 1.400-3.800 3.600-4.200z")],
  safety: [line("M12 2.5l8 3v6c0 5-3.300 8.500-8 10-4.700-1.500-8-5-8-10v-6z"), line("M12 7.500v5.500M12 16.400v.1")],
  back: [line("M14.500 5l-7 7 7 7")],
  next: [line("M9.500 5l7 7-7 7")],
  good: [line("M5 12.500l4.500 4.500L19 7.500")],
  lost: [line("M6 6l12 12M18 6L6 18")],
  off: [line("M6 12h12")],
};

/** The shape of a name; unknown names have none. */
export function shape(name, attributes = {}) {
  const parts = (SHAPES[name] ?? []).map(([tag, values]) => svg(tag, values));
  return svg("svg", { viewBox: "0 0 24 24", class: "shape", "aria-hidden": "true", ...attributes }, ...parts);
}

/** A ring that fills up: n of `of`. */
export function progress(n, of) {
  const turn = 2 * Math.PI * 9.5;
  const done = of > 0 ? Math.min(1, n / of) * turn : 0;
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: "shape", "aria-hidden": "true" },
    svg("circle", { cx: 12, cy: 12, r: 9.5, fill: "none", stroke: "currentColor", "stroke-width": 1.4 }),
    svg("circle", { cx: 12, cy: 12, r: 9.5, fill: "none", stroke: "currentColor", "stroke-width": 4, "stroke-dasharray": `${done} ${turn}`, transform: "rotate(-90 12 12)" }),
  );
}
