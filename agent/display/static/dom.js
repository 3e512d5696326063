// Nodes, made and changed without markup: whatever a control sends as a tool's name stays text.

const SVG = "http://www.w3.org/2000/svg";

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** An element of the page. */
export function h(tag, attributes = {}, ...children) {
  return build(document.createElement(tag), attributes, children);
}

/** An element of a drawing. */
export function svg(tag, attributes = {}, ...children) {
  return build(document.createElementNS(SVG, tag), attributes, children);
}

/** Set the text of a node, touching it only if it differs; true if it did. */
export function put(node, text) {
  const wanted = text ?? "";
  if (node.textContent === wanted) return false;
  node.textContent = wanted;
  return true;
}

/** Set or take away an attribute, touching it only if it differs. */
export function mark(node, name, value) {
  const wanted = value === true ? "" : value === false || value === null || value === undefined ? null : String(value);
  if (node.getAttribute(name) === wanted) return;
  if (wanted === null) node.removeAttribute(name);
  else node.setAttribute(name, wanted);
}

/** Show or hide. */
export function show(node, visible) {
  mark(node, "hidden", !visible);
}

/** Replace the children of a node only when `key` changed: a button under a finger must stay the same button. */
export function refill(node, key, make) {
  if (node.dataset.key === key) return false;
  node.dataset.key = key;
  node.replaceChildren(...make());
  return true;
}

/** Make a text smaller until it fits its box, in steps of the style sheet; the last step is cut off by it. */
export function fit(node, steps = 5) {
  for (let step = 0; step <= steps; step += 1) {
    mark(node, "data-fit", step);
    if (node.scrollHeight <= node.clientHeight + 1) return;
  }
}

/** The pieces of a sentence in which `commands` and `keys` stand between backticks. */
export function prose(text) {
  return text.split("`").map((piece, index) => (index % 2 ? h("code", {}, piece) : piece));
}

/** A button with a text. */
export function button(text, press, attributes = {}) {
  return h("button", { type: "button", ...attributes, onclick: press }, text);
}
