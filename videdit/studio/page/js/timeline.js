// Shots, people, keyframes and hard moments over time. What is dragged here is a change of the job like any other.

import { $, clock, el, fill, soon } from "./dom.js";
import { choose } from "./people.js";
import { hold } from "./previews.js";
import { pause } from "./player.js";
import { S, changeKey, ending, frameAt, goTo, keyHere, nameOf, now, on, removeKey, settle, shownEdits, step, strengthAt, timeOf } from "./store.js";

const box = $("timeline"), LABEL = 148, EDGE = 8; // px: names of lanes, and what is left free at either end
const range = { from: 0, to: 1 };
let dragging = false;

const span = () => Math.max(1e-6, range.to - range.from);
const part = (time) => (100 * (time - range.from)) / span();
const left = (element, time) => { element.style.left = `${part(time)}%`; return element; };
const between = (element, first, last) => { element.style.width = `${(100 * (last - first)) / span()}%`; return left(element, first); };

function timeAt(event) {
  const ruler = box.querySelector(".ruler .track").getBoundingClientRect();
  return range.from + span() * Math.min(1, Math.max(0, (event.clientX - ruler.left) / ruler.width));
}

/** Where the frame of a time ends: spans are told by their last frames. */
const after = (time) => { const frame = frameAt(time); return frame + 1 < S.times.length ? timeOf(frame + 1) : ending(); };

const lanesOfKeys = () => Object.values(shownEdits()).some((edit) => edit.keys);

function draw() {
  if (!S.clip) return fill(box, el("p", { class: "note" }, "The timeline of the clip comes here."));
  if (dragging) return drawHead();
  const { start, end } = S.doc.settings;
  const lanes = [ruler(), ...shots(), ...people(), ...keyed(), ...hard()];
  fill(box, lanes, el("div", { id: "head" }),
    start !== undefined ? shade(range.from, start) : null, end !== undefined ? shade(end, range.to) : null);
  drawHead();
}

const lane = (words, kind, ...children) => el("div", { class: `lane ${kind}`, role: words ? "group" : null, "aria-label": words || null }, el("span", { title: words }, words), el("div", { class: "track" }, children));

function ruler() {
  const width = box.clientWidth - LABEL - EDGE, steps = [0.04, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
  const every = steps.find((value) => (value / span()) * width > 70) ?? 7200;
  const marks = [];
  for (let time = Math.ceil(range.from / every) * every; time <= range.to - span() * 0.03; time += every) marks.push(left(el("i"), time), left(el("b"), time));
  marks.filter((mark) => mark.tagName === "B").forEach((mark, i) => { mark.textContent = short(Math.ceil(range.from / every) * every + i * every, every); });
  const row = lane("", "ruler", marks);
  Object.entries({
    role: "slider", tabindex: "0", "aria-label": "Playhead", "aria-valuemin": 0, "aria-valuemax": S.times.length - 1, "data-focus": "playhead",
    title: "Click or drag; with the focus here arrows step, page keys step ten frames",
  }).forEach(([name, value]) => row.lastChild.setAttribute(name, value));
  row.lastChild.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key];
    const to = { Home: 0, End: S.times.length - 1 }[event.key] ?? (by && S.frame + by * (event.shiftKey ? 10 : 1));
    if (to === undefined) return;
    pause();
    goTo(to);
    event.preventDefault();
    event.stopPropagation();
  });
  row.lastChild.addEventListener("pointerdown", (event) => {
    pause();
    row.setPointerCapture(event.pointerId);
    goTo(frameAt(timeAt(event)));
    row.onpointermove = (move) => goTo(frameAt(timeAt(move)));
    row.onpointerup = () => { row.onpointermove = row.onpointerup = null; };
  });
  return row;
}

const short = (time, every) => (every >= 1 ? clock(time + 1e-6).replace(/\.\d+$/, "") : clock(time + 1e-6).replace(/(\.\d\d?)\d*$/, "$1"));

function shots() {
  const all = S.people?.shots ?? [];
  return all.length > 1 ? [lane("Shots", "", all.map(([first, last], i) => between(el("div", { class: "span shot", title: `shot ${i + 1}` }), first, after(last))))] : [];
}

function people() {
  return (S.people?.faces ?? []).map((face) => {
    const who = String(face.track);
    return lane(nameOf(who), "", face.spans.map(([first, last]) => between(el("button", {
      class: `span face${S.who === who ? " chosen" : ""}`, "aria-label": `${nameOf(who)}, ${clock(first)} to ${clock(after(last))}`, "aria-pressed": String(S.who === who), "data-focus": `span-${who}-${first}`, onclick: (event) => { choose(who); goTo(event.detail ? frameAt(timeAt(event)) : frameAt(first)); }, // by a key: to where it begins
    }), first, after(last))));
  });
}

function keyed() {
  return Object.entries(shownEdits()).filter(([, edit]) => edit.keys).map(([name, edit]) => {
    const row = lane(`${name.replaceAll("_", " ")} · ${nameOf(S.who)}`, "keyed", curve(edit), edit.keys.map((key, i) => diamond(name, edit, key, i)));
    return row;
  });
}

/** The strength over time, from the bottom (least) to the top (most). */
function curve(edit) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("aria-hidden", "true"); // the keyframes say it
  svg.setAttribute("viewBox", "0 0 240 22");
  svg.setAttribute("preserveAspectRatio", "none");
  const values = edit.keys.map((key) => key.strength), low = Math.min(0, ...values), high = Math.max(0, ...values), size = high - low || 1;
  const points = Array.from({ length: 241 }, (_, x) => `${x},${(19 - (16 * (strengthAt(edit, range.from + (span() * x) / 240) - low)) / size).toFixed(2)}`);
  path.setAttribute("d", `M${points.join("L")}`);
  svg.append(path);
  return svg;
}

function diamond(name, edit, key, index) {
  const words = `${name} ${Math.round(key.strength * 100) / 100} at ${clock(key.time)}, ${key.easing}`;
  const mark = left(el("button", {
    class: `diamond${keyHere(edit) === key ? " here" : ""}`, title: `${words}: drag in time, Delete takes it away`, "aria-label": words, "data-focus": `diamond-${name}-${index}`,
    onclick: () => { if (!mark.dataset.moved) goTo(frameAt(key.time)); },
    onkeydown: (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Delete" || event.key === "Backspace") { removeKey(name, index); event.preventDefault(); event.stopPropagation(); }
      if (by && event.altKey) { changeKey(name, index, { time: timeOf(frameAt(key.time) + by) }); event.preventDefault(); event.stopPropagation(); }
    },
  }), key.time);
  mark.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    mark.setPointerCapture(event.pointerId);
    const [from, others] = [event.clientX, edit.keys.filter((other) => other !== key).map((other) => frameAt(other.time))];
    let at = key.time;
    mark.onpointermove = (move) => {
      if (Math.abs(move.clientX - from) < 3 && !mark.dataset.moved) return;
      const frame = frameAt(timeAt(move) + 1e-6);
      if (others.includes(frame) || timeOf(frame) === at) return;
      if (!mark.dataset.moved) { mark.dataset.moved = "yes"; dragging = true; hold(true); }
      const i = shownEdits()[name].keys.findIndex((other) => other.time === at);
      at = timeOf(frame);
      changeKey(name, i, { time: at }, `drag key ${name} ${index}`);
      left(mark, at);
    };
    mark.onpointerup = mark.onpointercancel = () => { mark.onpointermove = mark.onpointerup = null; if (dragging) { dragging = false; settle(); hold(false); setTimeout(draw); } };
  });
  return mark;
}

function hard() {
  const own = (S.hardships ?? []);
  return own.length ? [lane("Hard moments", "", own.map((one) => between(el("button", {
    class: "span hard", title: `${nameOf(String(one.track))}: ${one.why}`, "aria-label": `${nameOf(String(one.track))} ${one.why} at ${clock(one.first)}`, "data-focus": `hard-${one.track}-${one.first}`, onclick: () => goTo(frameAt(one.first)),
  }), one.first, after(one.last))))] : [];
}

function shade(first, last) {
  const cover = el("div", { class: "out" }), [a, b] = [part(first), part(last)].map((value) => Math.min(100, Math.max(0, value)));
  cover.style.left = `calc(${LABEL}px + (100% - ${LABEL + EDGE}px) * ${a / 100})`;
  cover.style.width = `calc((100% - ${LABEL + EDGE}px) * ${(b - a) / 100})`;
  cover.style.height = `${Math.max(box.clientHeight, box.scrollHeight)}px`;
  return cover;
}

function drawHead() {
  const head = $("head");
  if (!head) return;
  const slider = box.querySelector(".ruler .track");
  slider.setAttribute("aria-valuenow", S.frame);
  slider.setAttribute("aria-valuetext", `${clock(now())}, frame ${S.frame}`);
  head.style.left = `calc(${LABEL}px + (100% - ${LABEL + EDGE}px) * ${part(now()) / 100})`;
  head.hidden = now() < range.from || now() > range.to;
  head.style.height = `${Math.max(box.clientHeight, box.querySelectorAll(".lane").length * 22)}px`;
}

export function begin() {
  on("clip", () => { Object.assign(range, { from: 0, to: ending() }); draw(); });
  const later = soon(draw);
  on("people hardships who rest", later);
  on("doc", () => { if (!S.moving || lanesOfKeys()) later(); });
  on("frame playhead", follow);
  on("frame", () => { drawHead(); if (lanesOfKeys()) later(); }); // a keyframe at the playhead is marked
  on("playhead", drawHead);
  new ResizeObserver(draw).observe(box);
  box.addEventListener("wheel", (event) => {
    if (!S.clip || !(event.ctrlKey || event.shiftKey)) return;
    event.preventDefault();
    if (event.ctrlKey) zoom(Math.exp(event.deltaY / 300), timeAt(event));
    else show(range.from + (span() * (event.deltaY || event.deltaX)) / 1500, span());
  }, { passive: false });
}

/** Shows so much of the clip's time, from a time on. */
function show(from, wide) {
  const least = Math.min(Math.max(0, from), ending() - wide);
  Object.assign(range, { from: least, to: least + wide });
  draw();
}

/** Shows more (by > 1) or less time around a moment. */
export function zoom(by, at = now()) {
  if (!S.clip) return;
  const wide = Math.min(ending(), Math.max(8 * step(), span() * by));
  show(at - ((at - range.from) / span()) * wide, wide);
}

/** A playhead that leaves what is shown takes it along. */
function follow() {
  if (now() < range.from || now() > range.to) show(now() - span() / 2, span());
}
