// Who is in the clip, and whom the edits are for.

import { address, get, post } from "./api.js";
import { $, el, fill, say, soon } from "./dom.js";
import { S, changed, giveName, goTo, frameAt, isEdited, isMoving, nameOf, now, on, tell, timesOf } from "./store.js";

export function choose(who) {
  S.who = String(who);
  changed("who");
}

/** Asks for the look; what comes of it is told by events. */
export async function look() {
  if (!S.clip) return;
  try { hear({ clip: S.clip.id, ...(await post("look", { clip: S.clip.id })) }); } catch (error) { tell(error); }
}

export async function hear(told) {
  if (told.clip !== S.clip?.id) return;
  S.look = told;
  if (told.state === "done" && !S.people) {
    try {
      const people = await get("people", { clip: told.clip });
      if (told.clip !== S.clip?.id) return;
      S.people = people;
      if (people.times) { const at = now(); S.times = timesOf(people.times); goTo(frameAt(at)); }
      S.names = people.names;
      say(found(people.faces.length));
      // Whoever is alone in a clip is meant, unless somebody said otherwise.
      if (people.faces.length === 1 && S.who === "largest" && !S.doc.targets.length) choose(people.faces[0].track);
      changed("people");
      S.boxes = await get("faces", { clip: told.clip, time: now() });
      if (told.clip === S.clip?.id) changed("boxes");
    } catch (error) { tell(error); }
  }
  changed("people");
}

export async function renamed(told) {
  if (told.clip !== S.clip?.id || !S.people) return;
  S.names = (await get("people", { clip: told.clip })).names;
  changed("people");
}

function draw() {
  if (!S.clip) return fill($("people"), el("p", { class: "note" }, "Open a clip to see who is in it."));
  const words = ["largest", "all", "left"].map((who) => el("li", {}, entry(who, null, {
    largest: "whoever is largest in the picture", all: "every face", left: "whoever is furthest left",
  }[who])));
  fill($("people"), state(), el("ul", { class: "list", "aria-label": "Faces in this clip" }, (S.people?.faces ?? []).map(person)),
    el("h2", { class: "note" }, "Or by rule"), el("ul", { class: "list", "aria-label": "By rule" }, words));
}

const found = (count) => (count === 0 ? "No face was found in this clip." : count === 1 ? "One face was found." : `${count} faces were found.`);

function state() {
  const look = S.look;
  if (S.people) {
    const count = S.people.faces.length;
    return count ? null : el("p", { class: "note" }, "No face was found in this clip, so there is nobody to edit.");
  }
  if (look?.state === "failed") {
    return el("div", { class: "note bad", role: "alert" }, look.error, " ", el("button", { onclick: look_again }, "Look again"));
  }
  const bar = el("progress", { max: 1, "aria-label": "Looking for faces" });
  if (look?.share !== undefined && look.share !== null) bar.value = look.share;
  const words = look?.state === "looking" ? `Looking for faces: frame ${look.done}${look.frames ? ` of ${look.frames}` : ""}` : "Looking for faces …";
  return el("div", { class: "note" }, words, bar, "You can edit the largest face meanwhile.");
}

const look_again = () => { S.look = null; look(); };

function entry(who, face, facts) {
  return el("button", {
    class: "entry", "aria-pressed": String(S.who === who), "data-focus": `who-${who}`, onclick: () => choose(who),
  }, face?.portrait ? el("img", { class: "face", src: address("portrait", { clip: S.clip.id, track: face.track }), alt: "", onerror: (event) => { event.target.removeAttribute("src"); } }) : null,
  el("div", {}, el("span", { class: "named" }, el("span", {}, nameOf(who)), isEdited(who) ? el("small", { class: "good" }, "edited") : null), el("small", {}, facts)));
}

function person(face) {
  const who = String(face.track), first = face.spans[0]?.[0] ?? 0;
  const seen = face.spans.reduce((sum, [a, b]) => sum + b - a, 0);
  const facts = [S.people.shots.length > 1 ? `shot ${face.shot}` : "", S.clip.playable ? `${seen.toFixed(1)} s` : "", `${face.size} px`].filter(Boolean).join(" · ");
  return el("li", { class: "person" }, entry(who, face, facts),
    el("button", { class: "plain", title: "Give a name", "aria-label": `Name ${nameOf(who)}`, "data-focus": `name-of-${who}`, onclick: (event) => rename(event, who) }, "✎"),
    el("button", { class: "plain", title: "Go to where this face is first seen", "aria-label": `Go to ${nameOf(who)}`, "data-focus": `go-to-${who}`, onclick: () => goTo(frameAt(first)) }, "→"));
}

function rename(event, who) {
  const row = event.currentTarget.closest("li");
  const input = el("input", { value: S.names[who] ?? "", placeholder: `Face ${who}`, maxLength: 60, "aria-label": "Name", "data-focus": `name-of-${who}` });
  const done = (keep) => { input.onblur = null; if (keep) giveName(who, input.value.trim()); draw(); };
  input.onkeydown = (key) => { if (key.key === "Enter") done(true); if (key.key === "Escape") done(false); key.stopPropagation(); };
  input.onblur = () => done(true);
  row.replaceChildren(input);
  input.focus();
}

on("clip doc people who rest", soon(draw, isMoving));
