// The browser of folders: clips where they lie, each with a picture.

import { address, get } from "./api.js";
import { $, bytes, el, fill } from "./dom.js";
import { S, on, open, tell } from "./store.js";

let folder = { id: "", entries: [], parent: null };

export async function show(id) {
  try {
    folder = await get("folder", { folder: id });
    // With one folder there is nothing to choose at the top.
    if (!id && folder.entries.length === 1) return show(folder.entries[0].id);
  } catch (error) { return tell(error); }
  draw();
}

function draw() {
  const up = folder.parent !== null && folder.id !== "" && (folder.parent !== "" || folder.id.includes("/"))
    ? el("button", { class: "plain", title: "The folder above", "aria-label": "The folder above", onclick: () => show(folder.parent) }, "↑") : null;
  fill($("clips"),
    el("div", { class: "crumbs" }, up, el("span", { title: folder.name }, folder.name || "Folders"), el("span", { class: "fill" }),
      el("button", { class: "plain", title: "Read the folder anew", "aria-label": "Read the folder anew", onclick: () => show(folder.id) }, "↻")),
    folder.entries.length ? el("ul", { class: "list" }, folder.entries.map(entry))
      : el("p", { class: "note" }, "No video, picture or project here."),
    folder.more ? el("p", { class: "note" }, `and ${folder.more} more`) : null);
}

function entry(item) {
  const picture = item.kind === "video" || item.kind === "image"
    ? el("img", { src: address("poster", { clip: item.id }), alt: "", loading: "lazy" })
    : el("span", { class: "icon", "aria-hidden": "true" }, item.kind === "folder" ? "▸" : "≡");
  const facts = { folder: "folder", job: "project", video: bytes(item.size ?? 0), image: "picture" }[item.kind];
  return el("li", {}, el("button", {
    class: "entry", "aria-current": item.id === S.clip?.id ? "true" : undefined, "data-focus": item.id,
    onclick: () => (item.kind === "folder" ? show(item.id) : open(item.id).catch(tell)),
  }, picture, el("div", {}, item.name, el("small", {}, facts))));
}

on("clip", draw);
