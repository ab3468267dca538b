// The page begins here: what there is is fetched, and every part is told to begin.

import { get, listen, viewer } from "./api.js";
import { $, tabs, toast } from "./dom.js";
import "./edits.js";
import * as keys from "./keys.js";
import * as library from "./library.js";
import * as people from "./people.js";
import * as player from "./player.js";
import * as render from "./render.js";
import * as review from "./review.js";
import * as stage from "./stage.js";
import { S, canRedo, canUndo, changed, on, open, isUnsaved, redo, reload, save, saveSoon, tell, undo } from "./store.js";
import * as timeline from "./timeline.js";

const leftTab = tabs(["clips", "people", "review"], (id) => { if (id === "review") review.find(); }), rightTab = tabs(["edits", "render", "queue"]);

function drawBar() {
  $("undo").disabled = !canUndo();
  $("redo").disabled = !canRedo();
  $("undo").title = canUndo() ? `Undo: ${canUndo()} (Ctrl+Z)` : "Undo (Ctrl+Z)";
  $("redo").title = canRedo() ? `Redo: ${canRedo()} (Ctrl+Shift+Z)` : "Redo (Ctrl+Shift+Z)";
  $("saved").textContent = S.away ? "the studio does not answer" : S.locked ? "not saved" : S.saved ?? "";
  $("saved").className = S.away || S.locked || S.saved === "not saved" ? "bad" : "faint";
  $("saved").title = S.locked || (S.saved === "not saved" && S.unsaved) || (S.clip ? `${S.clip.name}.videdit.yaml, beside the clip` : "");
}

/** What works on a clip is off until there is one; what needs time is off for a still. */
function drawControls() {
  const moves = Boolean(S.clip?.playable);
  for (const one of document.querySelectorAll("#transport button, #transport input, #view button")) one.disabled = !(moves || (S.clip && one.closest("#view")));
}

function drawClip() {
  const { clip } = S;
  $("clipname").textContent = $("clipname").title = clip.name;
  $("clipfacts").textContent = [`${clip.width}×${clip.height}`, clip.fps ? `${Math.round(clip.fps * 1000) / 1000} fps` : "", clip.playable ? clip.codec : "", clip.hdr ? "HDR, shown as SDR" : ""].filter(Boolean).join(" · ");
  document.title = `${clip.name} – videdit studio`;
  history.replaceState(null, "", `#${encodeURIComponent(clip.id)}`);
  leftTab("people");
  people.look();
}

/** After the studio was away: what happened meanwhile is asked for, and what could not be saved is saved. */
function again() {
  render.load();
  library.again();
  if (!S.clip) return;
  Object.assign(S, { look: null, people: null });
  people.look();
  if (S.saved === "not saved") saveSoon(); else reload("").catch(tell);
}

/** The clip that the address names, if its words make sense. */
function asked(opened) {
  try { return decodeURIComponent(location.hash.slice(1)) || opened; } catch { return opened; }
}

async function begin() {
  stage.begin();
  player.begin();
  timeline.begin();
  keys.begin();
  render.begin(rightTab, library.again);
  drawControls();
  on("clip", drawControls);
  on("clip", drawClip);
  on("doc saved clip people", drawBar);
  $("undo").onclick = undo;
  $("redo").onclick = redo;
  $("copy").onclick = render.copyCommand;
  listen({
    look: people.hear,
    review: review.hear,
    names: (told) => people.renamed(told).catch(tell),
    project: (told) => { if (told.clip === S.clip?.id && told.viewer !== viewer) reload(told.version).catch(tell); },
    queue: render.load,
    playback: (told) => { if (told.clip === S.clip?.id && told.share < 1 && stage.view.waits) { stage.view.waits = `making a copy to play: ${Math.round(told.share * 100)} %`; stage.draw(); } },
    lost: () => { S.away = true; changed("saved"); toast("The studio does not answer; this page waits for it.", true); },
    found: () => { S.away = false; changed("saved", "found"); toast("The studio is there again."); again(); },
    back: () => again(),
  });
  addEventListener("pagehide", () => { if (isUnsaved()) save(); });
  try {
    const start = await get("start");
    Object.assign(S, { edits: start.edits, easings: start.easings });
    changed("doc");
    const first = asked(start.opened);
    await library.show(first ? first.split("/").slice(0, -1).join("/") : "");
    if (first) await open(first);
  } catch (error) { tell(error); }
}

begin();
