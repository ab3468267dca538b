// The keyboard, as editors have it.

import { $, el, fill } from "./dom.js";
import * as player from "./player.js";
import * as timeline from "./timeline.js";
import { draw, holdBefore, setMode, toggleBoxes, view, zoom, zoomToFace } from "./stage.js";
import { S, goTo, redo, undo } from "./store.js";

const MODES = ["after", "before", "wipe", "side", "change"];
const KEYS = [
  ["space", "play or pause"], ["J K L", "back, stop, play (again: faster)"], ["← →", "one frame"], ["Shift ← →", "ten frames"],
  ["Home End", "in point or beginning, out point or end"], ["I O", "in point, out point"], ["X", "all of the clip"], ["[ ]", "keyframe before, next"],
  ["1 – 5", "after, before, wipe, side by side, changes"], ["B (hold)", "the source"], ["Z", "1:1 at the face"], ["0", "the whole picture"],
  ["F", "boxes of faces"], ["Ctrl Z", "undo"], ["Ctrl Shift Z", "redo"], ["?", "these keys"],
  ["double click", "on a slider: the edit is off"], ["wheel", "zoom the picture; with Ctrl the timeline"], ["Alt ← →", "on a keyframe: moves it"], ["Delete", "on a keyframe: takes it away"], ["+ −", "less or more time in the timeline"], ["Tab", "everything else"],
];

const bound = {
  " ": player.toggle, j: player.back, k: player.pause, l: player.forward, i: player.setIn, o: player.setOut, x: player.clearRange,
  "+": () => timeline.zoom(0.7), "=": () => timeline.zoom(0.7), "-": () => timeline.zoom(1 / 0.7), "[": player.previousKey, "]": player.nextKey, f: toggleBoxes, z: () => (view.scale ? zoom(0) : zoomToFace()), 0: () => zoom(0), "?": help,
  Home: player.actions.first, End: player.actions.last,
  ...Object.fromEntries(MODES.map((mode, i) => [String(i + 1), () => setMode(mode)])),
};

export function help() {
  const dialog = $("keys");
  fill(dialog, el("h2", {}, "Keys"), el("dl", {}, KEYS.flatMap(([keys, words]) => [el("dt", {}, el("kbd", {}, keys)), el("dd", {}, words)])),
    el("button", { onclick: () => dialog.close() }, "Close"));
  if (!dialog.open) dialog.showModal();
}

/** The focus goes from a field to what it belongs to, so that Tab goes on from there. */
function leave(field) {
  const around = field.closest("[role=group], .time, .panel"), name = around?.dataset.focus;
  field.blur(); // what was typed is taken, and the part may be drawn anew
  const there = name ? document.querySelector(`[data-focus="${CSS.escape(name)}"]`) : around;
  if (!there) return;
  there.tabIndex = -1;
  there.focus({ preventScroll: true });
}

export function begin() {
  addEventListener("keydown", (event) => {
    const inField = event.target.closest?.("input:not([type=range]), select, textarea, dialog");
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !event.target.closest?.("input:not([type=range])")) {
      (event.shiftKey ? redo : undo)();
      return event.preventDefault();
    }
    // What was typed is taken, and the keys are the editor's again.
    if (inField && !event.target.closest("dialog") && (event.key === "Enter" || event.key === "Escape")) return leave(event.target);
    if (inField || event.ctrlKey || event.metaKey || event.altKey || !S.clip) {
      if (event.key === "?" && !inField) help();
      return;
    }
    // A button that has the focus keeps its own keys, a slider its arrows.
    if (event.key === " " && event.target.closest?.("button, summary, [role=tab]")) return;
    const onSlider = event.target.matches?.("[type=range], [role=tab], [role=slider]");
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      if (onSlider) return;
      player.pause();
      goTo(S.frame + (event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 10 : 1));
      return event.preventDefault();
    }
    if (onSlider && (event.key === "Home" || event.key === "End")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "b") { if (!event.repeat) holdBefore(true); return; }
    if (!bound[key] || (event.repeat && key !== "[" && key !== "]")) return;
    bound[key]();
    draw();
    event.preventDefault();
  });
  addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "b") holdBefore(false); });
  addEventListener("blur", () => holdBefore(false));
  $("help").onclick = help;
}
