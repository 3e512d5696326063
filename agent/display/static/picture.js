// What a detector saw when it spoke, drawn by the agent in the size of its place.

import { h, mark, show } from "./dom.js";

export class Picture {
  constructor() {
    this._image = h("img", { alt: "", draggable: "false" });
    this.node = h("div", { class: "picture" }, this._image);
  }

  /** Show the picture of an explanation; hide its place where there is none. */
  update(told, language) {
    show(this.node, Boolean(told?.picture));
    if (!told?.picture) return;
    const width = Math.round(this.node.clientWidth);
    const height = Math.round(this.node.clientHeight);
    if (width < 60 || height < 60) return;
    const font = parseFloat(getComputedStyle(this.node).fontSize).toFixed(1);
    const query = new URLSearchParams({ lang: language, w: width, h: height, font, v: told.version });
    mark(this._image, "alt", `${told.picture}. ${told.text}`);
    mark(this._image, "src", `/api/alerts/${encodeURIComponent(told.alert)}/picture.svg?${query}`);
  }
}
