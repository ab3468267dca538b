// The picture: compared, zoomed, panned, with the faces that can be chosen in it.

import { $, el, fill, say } from "./dom.js";
import { choose } from "./people.js";
import { P, onPicture } from "./previews.js";
import { S, nameOf, on } from "./store.js";

export const view = { mode: "after", held: false, wipe: 0.5, scale: 0, x: 0.5, y: 0.5, boxes: true, playing: false, beside: false, waits: "" };
const canvas = $("picture"), stage = $("stage");
let queued = false;

export function draw() {
  if (!queued) { queued = true; requestAnimationFrame(() => { queued = false; paint(); }); }
}

/** Places of the picture on the stage, in CSS pixels: one, or two side by side. */
function places() {
  const { width, height } = S.clip, two = shownMode() === "side";
  const room = { w: stage.clientWidth / (two ? 2 : 1), h: stage.clientHeight };
  const fit = Math.min(room.w / width, room.h / height);
  const scale = view.scale ? view.scale / devicePixelRatio : fit;
  const w = width * scale, h = height * scale;
  const at = (room_, size, centre) => (size <= room_ ? (room_ - size) / 2 : Math.min(0, Math.max(room_ - size, room_ / 2 - centre * size)));
  const x = at(room.w, w, view.x), y = at(room.h, h, view.y);
  const one = { x, y, w, h, left: 0, room: room.w, scale };
  return two ? [one, { ...one, x: x + room.w, left: room.w }] : [one];
}

const shownMode = () => (view.held ? "before" : view.mode);

function paint() {
  if (!S.clip) return;
  const ratio = devicePixelRatio, context = canvas.getContext("2d");
  const [width, height] = [stage.clientWidth * ratio, stage.clientHeight * ratio].map(Math.round);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, stage.clientWidth, stage.clientHeight);
  const all = places(), mode = shownMode(), after = P.after ?? P.before;
  context.imageSmoothingEnabled = all[0].scale * ratio < 2; // beyond, pixels are to be seen as they are
  context.imageSmoothingQuality = "high";
  const put = (bitmap, place, from = 0, to = place.room) => {
    if (!bitmap) return;
    context.save();
    context.beginPath();
    context.rect(place.left + from, 0, to - from, stage.clientHeight);
    context.clip();
    context.drawImage(bitmap, place.x, place.y, place.w, place.h);
    context.restore();
  };
  if (mode === "side") {
    put(P.before, all[0]);
    put(after, all[1]);
  } else if (mode === "wipe") {
    const line = wipeAt(all[0]);
    put(after, all[0], line);
    put(P.before, all[0], 0, line);
  } else {
    put(mode === "before" ? P.before : after, all[0]);
    if (mode === "change" && P.after && P.before) put(tint(), all[0]);
  }
  paintWipe(all[0]);
  paintFaces(all);
  tags(all);
  badge();
}

const wipeAt = (place) => Math.min(place.room, Math.max(0, place.x + place.w * view.wipe));

/** The pixels that differ, in colour: a canvas of the picture's size. */
let tinted = { of: null, canvas: null };
function tint() {
  if (tinted.of === P.after) return tinted.canvas;
  const { width, height } = P.after;
  const [a, b] = [P.before, P.after].map((bitmap) => {
    const own = new OffscreenCanvas(width, height), context = own.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0, width, height);
    return context.getImageData(0, 0, width, height);
  });
  const sameSize = P.before.width === width;
  for (let i = 0; i < a.data.length; i += 4) {
    const apart = Math.max(Math.abs(a.data[i] - b.data[i]), Math.abs(a.data[i + 1] - b.data[i + 1]), Math.abs(a.data[i + 2] - b.data[i + 2]));
    const share = sameSize && P.tier === "exact" ? apart : Math.max(0, apart - 12);
    a.data.set([255, 120, 40, Math.min(200, share * 8)], i);
  }
  const own = new OffscreenCanvas(width, height);
  own.getContext("2d").putImageData(a, 0, 0);
  tinted = { of: P.after, canvas: own };
  return own;
}

function paintWipe(place) {
  const bar = $("wipe");
  bar.hidden = shownMode() !== "wipe" || view.playing;
  bar.style.left = `${wipeAt(place)}px`;
  bar.setAttribute("aria-valuenow", Math.round(view.wipe * 100));
  bar.setAttribute("aria-valuetext", `${Math.round(view.wipe * 100)} % of the width is the source`);
}

let painted = ""; // the boxes that are there
function paintFaces(all) {
  const show = view.boxes && !view.playing && !view.held;
  const key = JSON.stringify([show, all, S.boxes, S.who, S.names]);
  if (key === painted) return;
  painted = key;
  fill($("faces"), !show ? [] : S.boxes.flatMap((face) => all.map((place) => {
    const [l, t, r, b] = face.box.map((value) => Math.min(1, Math.max(0, value))), who = String(face.track); // what is in the picture
    const button = el("button", {
      "aria-pressed": String(S.who === who), "aria-label": `Choose ${nameOf(who)}`, onclick: () => choose(who), "data-focus": `box-${who}-${place.left}`,
    }, el("span", {}, nameOf(who)));
    Object.assign(button.style, {
      left: `${place.x + l * place.w}px`, top: `${place.y + t * place.h}px`, width: `${(r - l) * place.w}px`, height: `${(b - t) * place.h}px`,
    });
    return button;
  })));
}

function badge() {
  const note = $("badge"), source = shownMode() === "before";
  const words = view.waits ? view.waits
    : P.error ? P.error
      : !P.before ? "reading the frame …"
        : P.busy === "exact" ? "draft · making the exact frame …"
          : P.busy === "draft" && !P.after ? "making a preview …"
            : P.note || (P.tier ?? "");
  note.hidden = (!words && !source) || view.playing;
  note.textContent = source && !view.waits && !P.error ? "source" : words;
  note.className = P.error ? "bad" : P.tier === "exact" && !P.busy && !source ? (P.note ? "settled" : "sharp") : "";
  canvas.setAttribute("aria-label", `Frame ${S.frame} of ${S.clip.name}: ${MODES[shownMode()]}${words ? `, ${words}` : ""}`);
  // Aloud: what is wrong, and that the exact frame is there; not every draft of a drag.
  const aloud = P.error || (P.tier === "exact" && !P.busy ? (P.note ? `${P.note[0].toUpperCase()}${P.note.slice(1)}.` : "The exact frame is shown.") : "");
  if (aloud !== spoken) { spoken = aloud; say(aloud, Boolean(P.error)); }
}
const MODES = { after: "edited", before: "source", wipe: "source and edited under a wipe", side: "source and edited side by side", change: "edited, with the changes in colour" };
let spoken = "";

/** Which of two pictures is which. */
function tags(all) {
  stage.classList.toggle("side", shownMode() === "side"); // the note in the corner leaves room for the word of its half
  const mode = shownMode(), [one] = all, clear = (place) => Math.max(8, place.left + 8);
  const words = view.playing ? (view.beside ? [["Source", 8], ["Result", stage.clientWidth / 2 + 8]] : []) : mode === "side" ? [["Before", clear(all[0])], ["After", all[1].left + 8]]
    : mode === "wipe" ? [["Before", Math.max(8, wipeAt(one) - 66)], ["After", wipeAt(one) + 14]] : [];
  fill($("tags"), words.map(([word, x]) => { const tag = el("span", {}, word); tag.style.left = `${x}px`; return tag; }));
}

// -- how it is looked at ---------------------------------------------------------------------------------------------

export function setMode(mode) {
  view.mode = mode;
  for (const button of document.querySelectorAll("#view [data-mode]")) {
    const own = button.dataset.mode === mode;
    button.setAttribute("aria-checked", String(own));
    button.tabIndex = own ? 0 : -1;
  }
  draw();
}

export const holdBefore = (held) => {
  if (view.held === held) return;
  view.held = held;
  $("hold").setAttribute("aria-pressed", String(held));
  draw();
};

export function zoom(scale, x = view.x, y = view.y) {
  Object.assign(view, { scale, x, y });
  stage.classList.toggle("far", scale > 0);
  $("zoom").textContent = scale ? `${Math.round(scale * 100)} %` : "fit";
  draw();
}

export function toggleBoxes() {
  view.boxes = !view.boxes;
  $("boxes").setAttribute("aria-pressed", String(view.boxes));
  draw();
}

/** The centre of the chosen face, so that 1:1 shows it. */
export function zoomToFace() {
  const face = S.boxes.find((one) => String(one.track) === S.who) ?? S.boxes[0];
  if (!face) return zoom(1);
  const [l, t, r, b] = face.box;
  zoom(1, (l + r) / 2, (t + b) / 2);
}

export function begin() {
  for (const button of document.querySelectorAll("#view [data-mode]")) button.onclick = () => setMode(button.dataset.mode);
  const radios = [...document.querySelectorAll("#view [data-mode]")];
  $("view").querySelector("[role=radiogroup]").onkeydown = (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    const next = radios[(radios.indexOf(document.activeElement) + by + radios.length) % radios.length];
    setMode(next.dataset.mode);
    next.focus();
    event.preventDefault();
    event.stopPropagation();
  };
  setMode("after");
  $("hold").onpointerdown = () => holdBefore(true);
  addEventListener("pointerup", () => holdBefore(false));
  $("hold").onkeydown = (event) => { if (event.key === " " || event.key === "Enter") { holdBefore(true); event.preventDefault(); event.stopPropagation(); } };
  $("hold").onkeyup = $("hold").onblur = () => holdBefore(false);
  $("boxes").onclick = toggleBoxes;
  $("fit").onclick = () => zoom(0);
  $("full").onclick = zoomToFace;
  dragWipe($("wipe"));
  pan();
  new ResizeObserver(draw).observe(stage);
  onPicture(draw);
  on("clip", () => { $("empty").hidden = true; zoom(0); });
  on("boxes people who doc", draw);
}

function dragWipe(bar) {
  bar.onpointerdown = (event) => { bar.setPointerCapture(event.pointerId); event.stopPropagation(); };
  bar.onpointermove = (event) => {
    if (!bar.hasPointerCapture(event.pointerId)) return;
    const [place] = places();
    view.wipe = Math.min(1, Math.max(0, (event.clientX - stage.getBoundingClientRect().left - place.x) / place.w));
    draw();
  };
  bar.onkeydown = (event) => {
    const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (by) { view.wipe = Math.min(1, Math.max(0, view.wipe + by)); draw(); event.preventDefault(); event.stopPropagation(); }
  };
}

function pan() {
  let from = null;
  stage.addEventListener("pointerdown", (event) => {
    if (!view.scale || event.target.closest("#wipe, #faces button")) return;
    from = { x: event.clientX, y: event.clientY, cx: view.x, cy: view.y };
    stage.setPointerCapture(event.pointerId);
    stage.classList.add("pan");
  });
  stage.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [place] = places();
    const clamp = (value) => Math.min(1, Math.max(0, value));
    zoom(view.scale, clamp(from.cx - (event.clientX - from.x) / place.w), clamp(from.cy - (event.clientY - from.y) / place.h));
  });
  stage.addEventListener("pointerup", () => { from = null; stage.classList.remove("pan"); });
  stage.addEventListener("wheel", (event) => {
    if (!S.clip) return;
    event.preventDefault();
    const [place] = places(), box = stage.getBoundingClientRect();
    const old = view.scale || place.scale * devicePixelRatio, scale = Math.min(8, old * Math.exp(-event.deltaY / 400));
    const fit = Math.min(place.room / S.clip.width, stage.clientHeight / S.clip.height) * devicePixelRatio;
    if (scale <= fit) return zoom(0);
    // What is under the pointer stays there.
    const px = (event.clientX - box.left) % place.room, py = event.clientY - box.top, grown = scale / old;
    const u = (px - place.x) / place.w, v = (py - place.y) / place.h;
    zoom(scale, u + (place.room / 2 - px) / (place.w * grown), v + (stage.clientHeight / 2 - py) / (place.h * grown));
  }, { passive: false });
}
