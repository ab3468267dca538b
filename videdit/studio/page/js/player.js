// The transport: stepping by frames, playing the source (through a copy that browsers play), times that are typed.

import { address, post } from "./api.js";
import { $, clock, say, seconds, toast } from "./dom.js";
import { draw, view } from "./stage.js";
import { zoom } from "./timeline.js";
import { S, change, changed, ending, frameAt, goTo, now, on, shownEdits, step, tell, timeOf } from "./store.js";

const player = $("player"), second = $("player2");
let ready = "", speed = 1, backwards = null;

export const inPoint = () => S.doc.settings.start ?? 0;
export const outPoint = () => S.doc.settings.end ?? ending();

/** Plays what is between the in and the out point, or the rest of the clip. beside: another file, seen next to it. */
export async function play(rate = 1, beside = null) {
  if (!S.clip?.playable) return;
  stopBackwards();
  const clip = S.clip.id;
  try {
    for (const [element, name] of [[player, clip], [second, beside]]) {
      if (!name || element.dataset.clip === name) continue;
      view.waits = "preparing to play …";
      draw();
      await post("prepare", { clip: name });
      element.src = address("play", { clip: name });
      element.dataset.clip = name;
      await new Promise((done, failed) => { element.onloadeddata = done; element.onerror = () => failed(new Error("The browser cannot play this copy.")); });
    }
    ready = clip;
    view.waits = "";
    if (S.clip.id !== clip) return;
    if (now() >= outPoint() - step() * 1.5) goTo(frameAt(inPoint()));
    player.currentTime = now() + step() / 2;
    player.playbackRate = second.playbackRate = speed = rate;
    view.playing = true;
    player.hidden = false;
    second.hidden = !beside;
    view.beside = Boolean(beside);
    $("stage").classList.toggle("two", view.beside);
    if (beside) say("The result plays beside its source.");
    if (beside) second.currentTime = Math.max(0, now() - inPoint()) + step() / 2;
    await Promise.all([player.play(), beside ? second.play() : null]);
    follow();
    drawButton();
    draw();
  } catch (error) { view.waits = ""; draw(); pause(); if (error.name !== "AbortError") tell(error); }
}

/** The playhead follows the picture that is really shown. */
function follow() {
  const seen = (_, facts) => {
    if (!view.playing) return;
    goToQuietly(frameAt(facts.mediaTime + step() / 4));
    if (facts.mediaTime >= outPoint() - step() * 1.2) ended(); else player.requestVideoFrameCallback(seen);
  };
  player.requestVideoFrameCallback(seen);
}

function goToQuietly(frame) {
  if (frame === S.frame) return;
  S.frame = frame;
  changed("playhead");
}

export function pause() {
  stopBackwards();
  if (!view.playing) return;
  view.playing = false;
  player.pause();
  second.pause();
  player.hidden = second.hidden = true;
  $("stage").classList.remove("two");
  speed = 1;
  drawButton();
  changed("frame");
  draw();
}

/** K stops, L plays and plays faster, J goes back. */
export const forward = () => (view.playing ? play(Math.min(4, speed * 2)) : play(1));
export function back() {
  if (view.playing) pause();
  if (backwards) return;
  backwards = setInterval(() => (S.frame > 0 ? goTo(S.frame - 2) : stopBackwards()), 80);
}
function stopBackwards() { clearInterval(backwards); backwards = null; }

export const toggle = () => (view.playing || backwards ? pause() : play(1));

/** It stops at the last frame, whichever of them the screen had time to show. */
function ended() {
  if (!view.playing) return;
  pause();
  goTo(frameAt(outPoint() - step() / 2));
}
player.onended = ended;

function drawButton() {
  $("play").textContent = view.playing ? "" : "▶"; // two bars are drawn: many fonts have no sign of them
  $("play").classList.toggle("playing", view.playing);
  $("play").setAttribute("aria-label", view.playing ? "Pause" : "Play");
}

// -- where the playhead is, and what is rendered -----------------------------------------------------------------------

export function setIn() { change("in point", (doc) => { doc.settings.start = S.frame ? now() : undefined; if ((doc.settings.end ?? Infinity) <= now()) delete doc.settings.end; clean(doc); }); }
export function setOut() {
  change("out point", (doc) => {
    const after = S.frame + 1 < S.times.length ? timeOf(S.frame + 1) : undefined; // the frame at the playhead is the last one
    doc.settings.end = after;
    if ((doc.settings.start ?? 0) >= (after ?? Infinity)) delete doc.settings.start;
    clean(doc);
  });
}
export const clearRange = () => change("all of the clip", (doc) => { delete doc.settings.start; delete doc.settings.end; });
function clean(doc) { for (const name of ["start", "end"]) if (doc.settings[name] === undefined) delete doc.settings[name]; }

const keyTimes = () => [...new Set(Object.values(shownEdits()).flatMap((edit) => edit.keys ?? []).map((key) => frameAt(key.time)))].sort((a, b) => a - b);
export const previousKey = () => goTo(keyTimes().findLast((frame) => frame < S.frame) ?? S.frame);
export const nextKey = () => goTo(keyTimes().find((frame) => frame > S.frame) ?? S.frame);

export const actions = {
  play: toggle, back: () => { pause(); goTo(S.frame - 1); }, next: () => { pause(); goTo(S.frame + 1); },
  first: () => { pause(); goTo(S.frame > frameAt(inPoint()) ? frameAt(inPoint()) : 0); },
  last: () => { pause(); const last = frameAt(outPoint() - step() / 2); goTo(S.frame < last ? last : S.times.length - 1); },
  in: setIn, out: setOut, clear: clearRange, prevkey: previousKey, nextkey: nextKey, wider: () => zoom(1 / 0.7), closer: () => zoom(0.7),
};

function drawPlace() {
  if (document.activeElement !== $("time")) $("time").value = clock(now());
  if (document.activeElement !== $("frame")) $("frame").value = S.frame;
  $("of").textContent = S.clip ? `of ${S.times.length}` : "";
}

function drawRange() {
  const { start, end } = S.doc.settings;
  $("range").textContent = start === undefined && end === undefined ? "all of the clip" : `${clock(start ?? 0)} – ${clock(end ?? ending())}`;
}

export function begin() {
  for (const button of document.querySelectorAll("#transport [data-do]")) button.onclick = () => S.clip && actions[button.dataset.do]();
  $("time").onchange = (event) => {
    const time = seconds(event.target.value);
    if (Number.isFinite(time)) goTo(frameAt(time)); else toast("A time is written 1:05.25 or 65.25.", true);
    event.target.blur();
    drawPlace();
  };
  for (const id of ["time", "frame"]) $(id).onfocus = (event) => event.target.select();
  $("frame").onchange = (event) => { if (/^\d+$/.test(event.target.value)) goTo(Number(event.target.value)); event.target.blur(); drawPlace(); };
  on("clip", () => { pause(); drawRange(); });
  on("clip frame playhead", drawPlace);
  on("doc", drawRange);
  drawPlace();
}
