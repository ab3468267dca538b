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
import { S, canRedo, canUndo, changed, on, open, redo, reload, save, tell, undo } from "./store.js";
import * as timeline from "./timeline.js";

const leftTab = tabs(["clips", "people", "review"], (id) => { if (id === "review") review.find(); }), rightTab = tabs(["edits", "render", "queue"]);

function drawBar() {
  $("undo").disabled = !canUndo();
  $("redo").disabled = !canRedo();
  $("undo").title = canUndo() ? `Undo: ${canUndo()} (Ctrl+Z)` : "Undo (Ctrl+Z)";
  $("redo").title = canRedo() ? `Redo: ${canRedo()} (Ctrl+Shift+Z)` : "Redo (Ctrl+Shift+Z)";
  $("saved").textContent = S.locked ? "not saved" : S.saved ?? "";
  $("saved").title = S.locked || (S.clip ? `${S.clip.name}.videdit.yaml, beside the clip` : "");
}

function drawClip() {
  const { clip } = S;
  $("clipname").textContent = clip.name;
  $("clipfacts").textContent = [`${clip.width}×${clip.height}`, clip.fps ? `${Math.round(clip.fps * 1000) / 1000} fps` : "", clip.codec, clip.hdr ? "HDR, shown as SDR" : ""].filter(Boolean).join(" · ");
  document.title = `${clip.name} – videdit studio`;
  history.replaceState(null, "", `#${encodeURIComponent(clip.id)}`);
  leftTab("people");
  people.look();
}

async function begin() {
  stage.begin();
  player.begin();
  timeline.begin();
  keys.begin();
  render.begin(rightTab);
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
    playback: (told) => { if (told.clip === S.clip?.id && told.share < 1) $("badge").textContent = `making a copy to play: ${Math.round(told.share * 100)} %`; },
    lost: () => toast("The studio does not answer; this page waits for it.", true),
    found: () => { toast("The studio is there again."); render.load(); S.look = null; S.people = null; people.look(); },
  });
  addEventListener("beforeunload", () => { if (S.saved === "…") save(); });
  try {
    const start = await get("start");
    Object.assign(S, { edits: start.edits, easings: start.easings });
    changed("doc");
    const asked = decodeURIComponent(location.hash.slice(1)) || start.opened;
    await library.show(asked ? asked.split("/").slice(0, -1).join("/") : "");
    if (asked) await open(asked);
  } catch (error) { tell(error); }
}

begin();
