// The browser of folders: clips where they lie, each with a picture.

import { address, get } from "./api.js";
import { $, bytes, el, fill } from "./dom.js";
import { S, on, open, tell } from "./store.js";

// Pictures of clips, fetched two at a time so that nothing else waits for them, and kept while the page is there.
const NOTHING = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";
const posters = new Map(), wanted = [], unreadable = new Set();
let fetching = 0;

function poster(item) {
  const image = el("img", { alt: "", src: NOTHING }), key = `${item.id} ${item.changed}`;
  if (unreadable.has(key)) queueMicrotask(() => mark(image));
  else if (posters.has(key)) image.src = posters.get(key);
  else new IntersectionObserver((seen, observer) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    observer.disconnect();
    wanted.push({ image, item, key });
    next();
  }).observe(image);
  return image;
}

/** A file that cannot be read says so before somebody opens it. */
function mark(image) {
  image.closest(".entry")?.querySelector("small").append(el("span", { class: "bad" }, " · cannot be read"));
}

async function next() {
  if (fetching >= 2 || !wanted.length) return;
  const { image, item, key } = wanted.shift();
  if (!image.isConnected && !posters.has(key)) return next(); // another folder is shown by now
  fetching += 1;
  try {
    const answer = posters.has(key) ? null : await fetch(address("poster", { clip: item.id }));
    if (answer?.ok) posters.set(key, URL.createObjectURL(await answer.blob()));
    if (posters.has(key)) image.src = posters.get(key);
    else if (answer?.status === 422) { unreadable.add(key); mark(image); }
  } catch { /* the studio is away: the list is read anew when it is back */ }
  fetching -= 1;
  next();
}

let folder = { id: "", entries: [], parent: null };

export async function show(id) {
  try {
    folder = await get("folder", { folder: id });
    // With one folder there is nothing to choose at the top.
    if (!id && folder.entries.length === 1) return show(folder.entries[0].id);
  } catch (error) {
    tell(error);
    if (id && !folder.entries.length) return show(""); // what the address names is gone: there is the rest
    return undefined;
  }
  return draw();
}

export const again = () => show(folder.id);

function draw() {
  const up = folder.parent !== null && folder.id !== "" && (folder.parent !== "" || folder.id.includes("/"))
    ? el("button", { class: "plain", title: "The folder above", "aria-label": "The folder above", onclick: () => show(folder.parent) }, "↑") : null;
  fill($("clips"),
    el("div", { class: "crumbs" }, up, el("span", { title: folder.name }, folder.name || "Folders"), el("span", { class: "fill" }),
      el("button", { class: "plain", title: "Read the folder anew", "aria-label": "Read the folder anew", onclick: () => show(folder.id) }, "↻")),
    folder.entries.length ? el("ul", { class: "list" }, listed().map(entry))
      : el("p", { class: "note" }, "No video, picture or project here."),
    folder.more ? el("p", { class: "note" }, `and ${folder.more} more`) : null);
}

/** A long name with both of its ends: takes and results differ there. */
const shortened = (name) => (name.length > 39 ? `${name.slice(0, 18)}…${name.slice(-20)}` : name);

const ENDINGS = [".videdit.yaml", ".videdit.yml"];

/** What is in the folder; the project of a clip comes with its clip. */
function listed() {
  const names = new Set(folder.entries.map((item) => item.name));
  const isOf = (name) => ENDINGS.map((ending) => name.endsWith(ending) && name.slice(0, -ending.length)).find(Boolean);
  const edited = new Set(folder.entries.filter((item) => item.kind === "job").map((item) => isOf(item.name)));
  return folder.entries.filter((item) => item.kind !== "job" || !names.has(isOf(item.name)))
    .map((item) => ({ ...item, edited: item.kind !== "job" && edited.has(item.name) }));
}

function entry(item) {
  const picture = item.kind === "video" || item.kind === "image"
    ? poster(item)
    : el("span", { class: "icon", "aria-hidden": "true" }, item.kind === "folder" ? "▸" : "≡");
  const facts = { folder: "folder", job: "project", video: bytes(item.size ?? 0), image: "picture" }[item.kind];
  return el("li", {}, el("button", {
    class: "entry", title: item.name, "aria-current": item.id === S.clip?.id ? "true" : undefined, "data-focus": item.id,
    onclick: () => (item.kind === "folder" ? show(item.id) : open(item.id).catch(tell)),
  }, picture, el("div", {}, el("span", { class: "filename" }, shortened(item.name)), el("small", {}, facts, item.edited ? el("span", { class: "good" }, " · has edits") : null))));
}

on("clip", draw);
