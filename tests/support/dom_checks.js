// What a person with gloves and old glasses would complain of. An expression: a list of complaints about the page as it stands.
(() => {
  const complaints = [];
  const phone = innerWidth < 1000;
  const seen = (node) => node.checkVisibility({ visibilityProperty: true }) && node.getBoundingClientRect().width > 0;
  const about = (node) => `${node.tagName.toLowerCase()}.${node.getAttribute("class") ?? ""} «${(node.textContent ?? "").trim().slice(0, 40)}»`;

  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) complaints.push(`scrolls sideways: ${root.scrollWidth} > ${innerWidth}`);
  if (!phone && root.scrollHeight > innerHeight) complaints.push(`scrolls: ${root.scrollHeight} > ${innerHeight}`);

  // Nothing is cut off where there is no scrolling to find it.
  if (!phone) {
    for (const node of document.querySelectorAll("header, main, section, article, .strip, .card-body, .card-head, .step-text, .step, .next, .tools, .rows, .lines, .table-box, .tool-grid, nav, .actions, .safety-box")) {
      if (!seen(node)) continue;
      if (node.scrollHeight > node.clientHeight + 2) complaints.push(`cut off below by ${node.scrollHeight - node.clientHeight}: ${about(node)}`);
      if (node.scrollWidth > node.clientWidth + 2 && getComputedStyle(node).overflowX !== "visible") complaints.push(`cut off at the side: ${about(node)}`);
    }
    for (const node of document.querySelectorAll("button, .badge, .card, .evidence, .caption, .ticks, .walk")) {
      const box = node.getBoundingClientRect();
      if (seen(node) && (box.bottom > innerHeight + 0.5 || box.right > innerWidth + 0.5 || box.top < -0.5 || box.left < -0.5)) complaints.push(`beyond the screen: ${about(node)}`);
    }
  }
  for (const node of document.querySelectorAll("button")) {
    if (seen(node) && !node.classList.contains("tool") && node.scrollWidth > node.clientWidth + 1) complaints.push(`text wider than its button: ${about(node)}`);
  }

  // Targets of 56 px and more, and none on top of another.
  const buttons = [...document.querySelectorAll("button, a, input, select, [role=button]")].filter(seen);
  for (const node of buttons) {
    const box = node.getBoundingClientRect();
    if (box.width < 55.9 || box.height < 55.9) complaints.push(`target ${box.width.toFixed(0)} x ${box.height.toFixed(0)}: ${about(node)}`);
  }
  if (!document.querySelector("dialog[open]")) {
    for (const [i, one] of buttons.entries()) {
      for (const other of buttons.slice(i + 1)) {
        const a = one.getBoundingClientRect();
        const b = other.getBoundingClientRect();
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) complaints.push(`overlap: ${about(one)} and ${about(other)}`);
      }
    }
  }

  // Contrast of every text against what lies behind it (WCAG 2.2, relative luminance), 7:1.
  const rgb = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const lost = document.body.classList.contains("lost");
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !seen(node)) continue;
    const style = getComputedStyle(node);
    const ink = rgb(node instanceof SVGElement ? style.fill : style.color);
    const [light, dark] = [luminance(ink), luminance(behind(node))].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    const least = lost && style.textDecorationLine.includes("line-through") ? 4.5 : lost ? 6.5 : 7;
    if (ratio < least) complaints.push(`contrast ${ratio.toFixed(1)}: ${about(node)}`);
    if (parseFloat(style.fontSize) < 13.5) complaints.push(`letters of ${style.fontSize}: ${about(node)}`);
    if (/\[[a-z_]+\.[\w.]+\]|undefined|NaN|\bnull\b|\[object/.test(texts.currentNode.data)) complaints.push(`not a text: ${about(node)}`);
  }

  for (const node of document.querySelectorAll("button")) {
    if (seen(node) && !node.textContent.trim() && !node.getAttribute("aria-label")) complaints.push(`a button without a name: ${about(node)}`);
  }
  return [...new Set(complaints)];
})();
