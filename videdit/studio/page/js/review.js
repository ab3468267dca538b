// Before rendering: moments in which an edit has a hard time, each one click away.

import { post } from "./api.js";
import { $, clock, el, fill } from "./dom.js";
import { choose } from "./people.js";
import { S, changed, document_, frameAt, goTo, leaveOut, nameOf, on, tell } from "./store.js";

let asking = false;

async function find() {
  asking = true;
  draw();
  const clip = S.clip.id;
  try {
    const found = await post("review", { clip, document: document_() });
    if (S.clip.id === clip) { S.hardships = found; changed("people"); }
  } catch (error) { tell(error); }
  asking = false;
  draw();
}

function draw() {
  if (!S.clip) return fill($("review"), el("p", { class: "note" }, "Open a clip first."));
  const ready = Boolean(S.people);
  fill($("review"),
    el("p", { class: "note" }, "Moments to look at before you render: where an edit fades because a face is turned, small or leaves the picture, where it is not seen, and where a mouth moves fast."),
    el("div", { class: "buttons" }, el("button", { onclick: find, disabled: !ready || asking }, asking ? "Looking …" : S.hardships ? "Look again" : "Find them"),
      ready ? null : el("span", { class: "faint" }, "after the look at the people")),
    S.hardships ? list() : null);
}

function list() {
  if (!S.hardships.length) return el("p", { class: "note good" }, "Nothing stands out.");
  return el("ul", { class: "list" }, S.hardships.map((one, i) => el("li", { class: "moment" },
    el("button", { class: "entry", "data-focus": `moment-${i}`, onclick: () => { choose(one.track); goTo(frameAt(one.first)); } },
      el("div", {}, `${clock(one.first)}  ${one.why}`, el("small", {}, `${nameOf(String(one.track))}, for ${(one.last - one.first).toFixed(2)} s`))),
    el("button", { class: "plain", title: "Bring the edits to nothing here, and back afterwards", onclick: () => leaveOut(one.track, one.first, one.last) }, "Leave out"))));
}

on("clip doc people", draw);
