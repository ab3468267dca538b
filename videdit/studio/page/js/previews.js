// Pictures of the frame at the playhead: the source's, and the edited one. The newest request wins, and nothing that is
// out of date is ever shown. While something moves: drafts, one at a time; at rest: the frame as the render has it.

import { frame as askFrame, preview as askPreview } from "./api.js";
import { $ } from "./dom.js";
import { S, changed, now, on, shown_, strengthAt } from "./store.js";

export const P = { before: null, after: null, facts: null, tier: null, busy: "", error: "", note: "" };
const REST = 220; // ms without a change
const edited = () => shown_().targets.length > 0;
const listeners = [];
export const onPicture = (f) => listeners.push(f);
const tellAll = () => listeners.forEach((f) => f());

let wanted = 0; // grows with every change
let restTimer = null, frameBusy = false, draftBusy = false, exactAbort = null;
let beforeKey = "", afterKey = "", fullBefore = "";

const side = () => Math.min(2048, Math.max(320, Math.round(Math.max($("stage").clientWidth, $("stage").clientHeight) * devicePixelRatio)));
const frameKey = () => `${S.clip?.id} ${S.frame}`;
const editKey = () => `${frameKey()} ${JSON.stringify(shown_())}`;

/** Something has changed: the playhead, a strength, the clip. */
export function refresh() {
  if (!S.clip) return;
  wanted += 1;
  if (beforeKey && frameKey() !== beforeKey) { P.after = null; P.tier = null; P.note = ""; }
  if (!edited()) { P.after = null; P.tier = null; P.error = P.note = ""; }
  exactAbort?.abort();
  clearTimeout(restTimer);
  restTimer = setTimeout(rest, REST);
  runFrame();
  runDraft();
  tellAll();
}

/** While a slider is held, drafts follow; the exact frame waits until it is let go. */
export function hold(on_) {
  S.moving = on_;
  if (on_) return;
  changed("rest");
  clearTimeout(restTimer);
  restTimer = setTimeout(rest, 30);
}

async function runFrame() {
  if (frameBusy || frameKey() === beforeKey) return;
  frameBusy = true;
  const key = frameKey();
  try {
    const got = await askFrame({ clip: S.clip.id, time: now(), side: side() });
    if (key === frameKey()) take("before", got, key);
  } catch (error) { if (key === frameKey()) fail(error); }
  frameBusy = false;
  if (frameKey() !== key) runFrame();
}

function take(which, got, key) {
  P[which] = got.bitmap;
  if (which === "before") {
    beforeKey = key;
    S.boxes = got.facts.faces ?? [];
    changed("boxes");
  }
  P.error = "";
  tellAll();
}

async function runDraft() {
  if (draftBusy || !edited() || editKey() === afterKey) return;
  draftBusy = true;
  const key = editKey(), begun = performance.now();
  P.busy = "draft";
  tellAll();
  try {
    const got = await askPreview({ clip: S.clip.id, document: shown_(), time: now(), tier: "draft", side: side() });
    // Of the same frame and the same face an older strength is shown while the next one is made: the newest so far.
    if (frameKey() === key.slice(0, frameKey().length) && edited()) show(got, key, "draft", begun);
  } catch (error) { if (error.kind !== "superseded" && key === editKey()) fail(error); }
  draftBusy = false;
  P.busy = "";
  if (edited() && editKey() !== key) runDraft();
  tellAll();
}

/** Why a preview is as its source. */
function nobody() {
  if (!S.boxes.length && S.people) return "no face in this frame";
  const strengths = shown_().targets.flatMap((one) => Object.values(one.edits)).map((edit) => strengthAt(edit, now()));
  const seen = S.boxes.some((face) => shown_().targets.some((one) => one.who === String(face.track)));
  return strengths.every((value) => value === 0) ? "all strengths are 0 in this frame" : seen ? "faded to nothing here: Review says why" : "nobody is edited in this frame";
}

function show(got, key, tier, begun) {
  // How long it took until the picture was on the screen, for whoever measures: scripts/bench_studio.py reads these.
  requestAnimationFrame(() => setTimeout(() => {
    if (performance.getEntriesByType("measure").length > 500) performance.clearMeasures();
    performance.measure(tier, { start: begun, end: performance.now(), detail: got.spent });
  }));
  P.after = got.bitmap;
  P.facts = got.facts;
  P.tier = tier;
  afterKey = key;
  P.error = "";
  P.note = got.facts.faces.length ? "" : nobody();
  tellAll();
}

async function rest() {
  if (!S.clip || S.moving) return;
  if (draftBusy) { restTimer = setTimeout(rest, 60); return; }
  const at = wanted, key = editKey(), place = frameKey(), begun = performance.now();
  exactAbort = new AbortController();
  const { signal } = exactAbort;
  try {
    if (fullBefore !== place) {
      const got = await askFrame({ clip: S.clip.id, time: now() }, signal);
      if (at !== wanted) return;
      fullBefore = place;
      take("before", got, place);
    }
    if (!edited()) return;
    P.busy = "exact";
    tellAll();
    const got = await askPreview({ clip: S.clip.id, document: shown_(), time: now(), tier: "exact" }, signal);
    if (at === wanted) show(got, key, "exact", begun);
  } catch (error) {
    if (error.name !== "AbortError" && error.kind !== "superseded" && at === wanted) fail(error);
  } finally {
    if (P.busy === "exact") P.busy = "";
    tellAll();
  }
}

function fail(error) {
  if (error.name === "AbortError") return;
  P.error = error.message;
  P.after = null;
  tellAll();
}

on("clip", () => { Object.assign(P, { before: null, after: null, tier: null, error: "", note: "", facts: null }); beforeKey = afterKey = fullBefore = ""; });
on("clip doc frame found", refresh);
