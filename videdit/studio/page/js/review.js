// Before rendering: moments in which an edit has a hard time, each one click away.

import { post } from "./api.js";
import { $, clock, el, fill, say, soon } from "./dom.js";
import { choose } from "./people.js";
import {
  S, changed, document_, editsFor, frameAt, goTo, isMoving, leaveOut, nameOf, on, strengthAt, tell,
} from "./store.js";

// What each of the words that the studio says means to whoever edits.
const WHY = {
  "turned away": ["Turned away", "the edit fades while the face is turned far to the side"],
  "too small": ["Too small", "the edit fades while the face is small"],
  "out of the picture": ["Leaves the picture", "the edit fades at the border"],
  "not seen": ["Lost", "the face is not found here, and is not edited"],
  "mouth moves fast": ["Mouth moves fast", "look whether lips and teeth keep up"],
  hidden: ["Hidden", "something is in front of the face, and the edit fades"],
  blurred: ["Blurred", "a fast movement: the edit fades"],
};

let stands = null, asking = false;

/** Asks for the moments: what is known at once, and the rest when the clip was gone through for it. */
export async function find() {
  if (asking || !S.people) return;
  asking = true;
  const clip = S.clip.id;
  try {
    const found = await post("review", { clip, document: document_() });
    if (S.clip?.id === clip) { stands = found; S.hardships = found.moments; changed("hardships"); tellFound(); }
  } catch (error) { if (S.clip?.id === clip) stands = { state: "failed", error: error.message }; tell(error); }
  asking = false;
  draw();
}

let told = ""; // what was said of them
function tellFound() {
  const count = S.hardships.length, words = `${count === 1 ? "One moment" : `${count || "No"} moments`} to look at.`;
  if (stands.state !== "done" || $("review").hidden || told === `${S.clip.id} ${words}`) return;
  told = `${S.clip.id} ${words}`;
  say(words);
}

/** How far the search is, told by the studio. */
export function hear(told) {
  if (told.clip !== S.clip?.id || !stands) return;
  if (told.state === "done") { find(); return; }
  stands = { ...stands, ...told };
  draw();
}

function draw() {
  if (!S.clip) return fill($("review"), el("p", { class: "note" }, "Open a clip first."));
  fill($("review"), state(), S.hardships ? list() : null,
    S.hardships?.length ? el("p", { class: "note" }, "Click a moment to go there. Leave out brings the edits of this face to nothing for the moment, and back afterwards.") : null);
}

function state() {
  if (!S.people) return el("p", { class: "note" }, "The moments that are hard for an edit are found after the look at the people.");
  if (stands?.state === "failed") return el("div", { class: "note bad", role: "alert" }, stands.error, " ", el("button", { onclick: find }, "Try again"));
  if (stands?.state === "done") return null;
  const bar = el("progress", { max: 1, "aria-label": "Going through the clip" });
  if (stands?.share !== undefined && stands.share !== null) bar.value = stands.share;
  return el("div", { class: "note" }, "Going through the clip for faces that are hidden or blurred …", bar);
}

/** Whether all edits of a face rest in a moment. */
function isLeftOut(one) {
  const middle = (one.first + one.last) / 2, edits = Object.values(editsFor(String(one.track)));
  return edits.length > 0 && edits.every((edit) => strengthAt(edit, middle) === 0);
}

function list() {
  const words = stands?.state === "done" ? "Nothing stands out: every face can be seen well." : "Nothing so far.";
  if (!S.people?.faces.length) return el("p", { class: "note" }, "No face was found in this clip, so there is nothing to review.");
  if (!S.hardships.length) return el("p", { class: "note good" }, words);
  const none = !S.doc.targets.some((one) => Object.keys(one.edits).length);
  return el("ul", { class: "list", "aria-label": "Moments to look at" }, S.hardships.map((one, i) => {
    const [title, means] = WHY[one.why] ?? [one.why, ""], who = nameOf(String(one.track)), out = isLeftOut(one);
    return el("li", { class: "moment" },
      el("button", { class: "entry", "data-focus": `moment-${i}`, title: means, "aria-current": now(one) ? "true" : undefined, onclick: () => { choose(one.track); goTo(frameAt(one.first)); } },
        el("div", {}, title, el("small", {}, `${who} · ${clock(one.first)} · ${one.last - one.first < 0.1 ? "short" : `${(one.last - one.first).toFixed(1)} s`}`))),
      out ? el("span", { class: "good done" }, "left out")
        : el("button", { class: "plain", "data-focus": `leave-${i}`, disabled: none, "aria-label": `Leave out: ${who}, ${title}, ${clock(one.first)}`, title: none ? "No edit is on" : "Bring the edits of this face to nothing here, and back afterwards", onclick: () => { $("review").querySelector(`[data-focus="moment-${i}"]`).focus(); leaveOut(one.track, one.first, one.last); say("Left out."); } }, "Leave out"));
  }));
}

const now = (one) => S.who === String(one.track) && S.frame >= frameAt(one.first) && S.frame <= frameAt(one.last);

const later = soon(draw, isMoving);
on("clip", () => { stands = null; });
on("clip people hardships who frame doc rest", later);
on("people", () => { if (!stands && !$("review").hidden) find(); });
// Whom the moments are about follows whom the edits are for.
let edited = "";
on("doc rest", () => {
  const now_ = S.doc.targets.filter((one) => Object.keys(one.edits).length).map((one) => one.who).join();
  if (now_ !== edited && !S.moving) { edited = now_; if (stands) find(); }
});
