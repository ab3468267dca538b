// What the page knows, and every change of it. Views subscribe to kinds of changes and draw themselves anew.

import { get, post, viewer } from "./api.js";
import { say, toast } from "./dom.js";
import { putKey, strengthAt } from "./keyframes.js";

export { strengthAt };

export const S = {
  edits: [], easings: [], clip: null, times: [0], frame: 0, who: "largest",
  doc: { targets: [], settings: {} }, names: {}, people: null, look: null, boxes: [], hardships: null,
  version: 0, locked: "", moving: false, away: false,
};

const listeners = {};
/** Kinds: clip, doc, frame, playhead (while it plays), people, hardships, who, boxes, saved, rest (what was held was let go),
 * found (the studio was away and is there again). */
export const on = (kinds, f) => kinds.split(" ").forEach((kind) => (listeners[kind] ??= []).push(f));
export const changed = (...kinds) => new Set(kinds.flatMap((kind) => listeners[kind] ?? [])).forEach((f) => f());

// -- frames and times ------------------------------------------------------------------------------------------------

export const timeOf = (frame) => S.times[Math.max(0, Math.min(S.times.length - 1, frame))] ?? 0;
export const now = () => timeOf(S.frame);
/** The end of the last frame. */
export const ending = () => Math.max(S.clip?.duration ?? 0, (S.times.at(-1) ?? 0) + step());
export const step = () => (S.clip?.fps ? 1 / S.clip.fps : 0.04);

/** The frame that is shown at a time: the last one that begins by then. */
export function frameAt(time) {
  let low = 0, high = S.times.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (S.times[middle] <= time + 1e-6) low = middle; else high = middle;
  }
  return low;
}

/** Times as the studio tells them: one by one, or evenly spread. */
export const timesOf = (told) => (Array.isArray(told) ? told : Float64Array.from({ length: told.count }, (_, i) => told.first + i * told.step));

export function goTo(frame) {
  const wanted = Math.max(0, Math.min(S.times.length - 1, Math.round(frame)));
  if (wanted !== S.frame) { S.frame = wanted; changed("frame"); }
}

// -- edits -------------------------------------------------------------------------------------------------------------

export const target = (who = S.who, doc = S.doc) => doc.targets.find((one) => one.who === who);
export const editsOf = (who = S.who) => target(who)?.edits ?? {};
export const isEdited = (who) => Object.keys(editsOf(who)).length > 0;

/** A keyframe belongs to the frame that is shown at its time. */
export const keyHere = (edit, frame = S.frame) => edit?.keys?.find((key) => frameAt(key.time) === frame);

const isRule = (one) => !/^\d+$/.test(one.who) && Object.keys(one.edits).length > 0;

/** The rule ("largest") whose edits a face shows that has none of its own. */
export const ruleFor = (who = S.who, doc = S.doc) => (/^\d+$/.test(who) && !isEditedIn(doc, who) ? doc.targets.find(isRule) : undefined);
export const shownEdits = (who = S.who) => ruleFor(who)?.edits ?? editsOf(who);

/** The edits of somebody, to be changed: those that a face has from a rule become its own. */
function ownEdits(doc, who = S.who) {
  const rule = ruleFor(who, doc);
  if (rule || !target(who, doc)) {
    doc.targets = [...doc.targets.filter((one) => one.who !== who), { who, edits: rule ? structuredClone(rule.edits) : {} }];
  }
  return target(who, doc).edits;
}

export function setStrength(name, value, merge) {
  change(`${name} ${value}`, (doc) => {
    const edits = ownEdits(doc), edit = edits[name];
    if (!edit?.keys) { edits[name] = { strength: value }; return; }
    const here = keyHere(edit);
    if (here) here.strength = value;
    else putKey(edit, { time: now(), strength: value, easing: "linear" });
  }, merge);
}

export const removeEdit = (name) => change(`${name} off`, (doc) => {
  const edits = ownEdits(doc);
  delete edits[name];
  if (ruleFor(S.who, doc)) edits[name] = { strength: 0 }; // with none of its own the face would have the rule's again
});

export const clear = () => change("all edits off", (doc) => { doc.targets = doc.targets.filter((one) => one.who !== S.who); });

/** A keyframe at the playhead, or away with the one that is there. */
export function toggleKey(name) {
  change(`keyframe of ${name}`, (doc) => {
    const edits = ownEdits(doc), edit = edits[name];
    const usual = S.edits.find((info) => info.name === name)?.recommended ?? 1;
    if (!edit) edits[name] = { keys: [{ time: now(), strength: usual, easing: "linear" }] };
    else if (!edit.keys) edits[name] = { keys: [{ time: now(), strength: edit.strength, easing: "linear" }] };
    else if (!keyHere(edit)) putKey(edit, { time: now(), strength: strengthAt(edit, now()), easing: "linear" });
    else if (edit.keys.length === 1) edits[name] = { strength: edit.keys[0].strength };
    else edit.keys = edit.keys.filter((key) => frameAt(key.time) !== S.frame);
  });
  say(keyHere(editsOf()[name]) ? "Keyframe set." : "Keyframe taken away.");
}

/** A keyframe away; the last one leaves its strength. */
export const removeKey = (name, index) => change(`keyframe of ${name}`, (doc) => {
  const edits = ownEdits(doc), { keys } = edits[name];
  if (keys.length === 1) edits[name] = { strength: keys[0].strength };
  else edits[name].keys = keys.filter((_, i) => i !== index);
});

export const changeKey = (name, index, values, merge) => change(`keyframe of ${name}`, (doc) => {
  const edit = ownEdits(doc)[name], key = { ...edit.keys[index], ...values };
  key.time = Math.min(key.time, timeOf(S.times.length - 1)); // beyond the end nobody would find it
  edit.keys = edit.keys.filter((_, i) => i !== index);
  putKey(edit, key);
}, merge);

/** Whose edits a face gets: its own, or those of the rules. */
const targetsFor = (who, doc) => (isEditedIn(doc, who) ? [target(who, doc)] : doc.targets.filter(isRule));
const isEditedIn = (doc, who) => Object.keys(target(who, doc)?.edits ?? {}).length > 0;
export const editsFor = (who) => Object.assign({}, ...targetsFor(who, S.doc).map((one) => one.edits));

/** Brings the edits of a face to nothing between two times, and back to what they were around them. */
export function leaveOut(track, first, last) {
  const fade = 0.2, who = String(track);
  change("leave a moment out", (doc) => {
    // Of everyone one face is left out: it gets the edits as its own.
    const all = target("all", doc);
    if (!isEditedIn(doc, who) && all && isRule(all)) {
      doc.targets = [...doc.targets.filter((one) => one.who !== who), { who, edits: structuredClone(all.edits) }];
    }
    for (const one of targetsFor(who, doc)) {
      for (const [name, edit] of Object.entries(one.edits)) {
        const value = (time) => strengthAt(edit, time);
        const [from, to] = [Math.max(0, first - fade), Math.min(ending(), last + fade)];
        const own = { keys: (edit.keys ?? []).filter((key) => key.time < from - 1e-6 || key.time > to + 1e-6) };
        // At the ends of the clip there is nothing to fade from or to.
        if (from < first - 1e-6) putKey(own, { time: from, strength: value(from), easing: "ease-in-out" });
        putKey(own, { time: first, strength: 0, easing: "hold" });
        if (last > first + 1e-6) putKey(own, { time: last, strength: 0, easing: "ease-in-out" });
        if (to > last + 1e-6) putKey(own, { time: to, strength: value(to), easing: "linear" });
        one.edits[name] = own;
      }
    }
  });
}

// -- changes, undone and redone --------------------------------------------------------------------------------------

const history = { past: [], future: [], merge: null };
const snapshot = () => JSON.stringify({ doc: S.doc, names: S.names });

/** Every change of the job. merge: changes of one drag, which are undone as one. */
export function change(label, f, merge = null) {
  const before = snapshot();
  f(S.doc);
  S.doc.targets = S.doc.targets.filter((one) => Object.keys(one.edits).length || one.who === S.who);
  if (snapshot() === before) return;
  if (merge === null || merge !== history.merge) history.past.push({ label, state: before });
  if (history.past.length > 300) history.past.shift();
  history.merge = merge;
  history.future = [];
  changed("doc");
  saveSoon();
}

export const settle = () => { history.merge = null; };
/** While something is held, views that do not show it wait with drawing themselves anew. */
export const isMoving = () => S.moving;
export const canUndo = () => history.past.at(-1)?.label;
export const canRedo = () => history.future.at(-1)?.label;

function travel(from, to) {
  const step = history[from].pop();
  if (!step) return;
  history[to].push({ label: step.label, state: snapshot() });
  restore(JSON.parse(step.state));
  say(`${from === "past" ? "Undone" : "Done again"}: ${step.label}.`);
}
export const undo = () => travel("past", "future");
export const redo = () => travel("future", "past");

function restore({ doc, names }) {
  history.merge = null;
  for (const track of new Set([...Object.keys(names), ...Object.keys(S.names)])) {
    if (names[track] !== S.names[track]) post("name", { clip: S.clip.id, track: Number(track), name: names[track] ?? "" }).catch(tell);
  }
  S.names = names;
  S.doc = doc;
  changed("doc", "people");
  saveSoon();
}

export function giveName(track, name) {
  const before = snapshot();
  if (name) S.names[track] = name; else delete S.names[track];
  if (snapshot() === before) return;
  history.past.push({ label: "name", state: before });
  history.future = [];
  changed("doc", "people");
  post("name", { clip: S.clip.id, track: Number(track), name }).catch(tell);
}

export const nameOf = (who) => ({ largest: "Largest face", all: "Everyone", left: "Leftmost face" }[who] ?? S.names[who] ?? `Face ${who}`);
export const tell = (error) => { if (error.name !== "AbortError") toast(error.message, true); };

// -- the project -----------------------------------------------------------------------------------------------------

/** What the server takes: no empty targets. */
export const document_ = () => ({
  targets: S.doc.targets.filter((one) => Object.keys(one.edits).length),
  settings: S.doc.settings, name: S.doc.name ?? "", matte: Boolean(S.doc.matte),
});

const ENCODING = ["codec", "crf", "preset", "pix_fmt", "lossless", "compare", "sidecar", "start", "end"];
/** The same for previews: without what says how a file is written. */
export const shown_ = () => ({
  targets: document_().targets,
  settings: Object.fromEntries(Object.entries(S.doc.settings).filter(([name]) => !ENCODING.includes(name) || S.doc.settings.scenes)),
});

let timer = null, saving = false;
export const isUnsaved = () => timer !== null || saving;
export function saveSoon() {
  if (S.locked) return;
  clearTimeout(timer);
  S.saved = "saving …";
  changed("saved");
  timer = setTimeout(save, 600);
}

export async function save() {
  clearTimeout(timer);
  if (saving || S.moving) { timer = setTimeout(save, 200); return; } // a drag is saved when it is over
  timer = null;
  saving = true;
  const clip = S.clip.id;
  try {
    const told = await post("project", { clip, document: document_(), version: S.version, viewer });
    if (S.clip.id !== clip) return;
    if (told.overtook) toast("Somebody else had changed this project; yours is the one that counts now.");
    S.version = told.version;
    S.saved = "saved";
  } catch (error) {
    if (S.clip.id !== clip) return;
    S.saved = "not saved";
    S.unsaved = error.message;
    tell(error);
  } finally {
    saving = false;
    changed("saved");
  }
}

/** Another window has saved: its version is the newer one. */
export async function reload(version) {
  if (!S.clip || version === S.version) return;
  const told = await get("clip", { clip: S.clip.id });
  if (told.clip.id !== S.clip.id || told.project.version === S.version) return;
  clearTimeout(timer);
  timer = null;
  history.past.push({ label: "the other window's change", state: snapshot() });
  S.doc = told.project.document;
  S.version = told.project.version;
  toast("Another window changed this project: this is its version. Undo brings yours back.");
  S.saved = "saved";
  changed("saved");
  changed("doc");
}

export async function open(name) {
  if (timer && S.clip) await save();
  const told = await get("clip", { clip: name });
  Object.assign(S, {
    clip: told.clip, times: timesOf(told.times), frame: 0, doc: told.project.document, version: told.project.version,
    locked: told.project.locked, people: null, look: null, boxes: [], hardships: null, names: {}, saved: "",
  });
  S.who = S.doc.targets[0]?.who ?? "largest";
  Object.assign(history, { past: [], future: [], merge: null });
  if (S.locked) toast(S.locked, true);
  changed("clip", "doc", "frame", "people", "who", "saved");
  if (told.opened) {
    // Of a job file that is not the clip's own project: a change of it, which can be undone.
    change(`edits of ${told.opened.name}`, (doc) => { for (const part of Object.keys(doc)) delete doc[part]; Object.assign(doc, told.opened.document); });
    S.who = S.doc.targets[0]?.who ?? "largest";
    changed("who");
    toast(S.locked ? "" : `These are the edits of ${told.opened.name}; they are saved as the project of ${S.clip.name}. Undo brings back what that had.`);
  }
}
