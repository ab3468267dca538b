// The sliders: every edit of the catalogue, for whoever is chosen, at the playhead.

import { address, post, viewer } from "./api.js";
import { $, clock, el, fill, plain, seconds } from "./dom.js";
import { hold } from "./previews.js";
import {
  S, changeKey, clear, editsOf, frameAt, goTo, keyHere, nameOf, now, on, removeEdit, removeKey, ruleFor, setStrength, settle, shownEdits, shown_, strengthAt, tell, toggleKey,
} from "./store.js";

let opened = null, dragging = false, rows = new Map();

/** "1 year" is a unit that people have: 12 years. Others are told where the edit is explained. */
const natural = (info) => /^1 (\w+)$/.exec(info.unit)?.[1];
const told = (info, value) => [plain(value), natural(info) && `${natural(info)}${Math.abs(value) === 1 ? "" : "s"}`].filter(Boolean).join(" ");
const title = (name) => name.replaceAll("_", " ");

/** What a slider spans: the recommended range and half as much again, within what is possible. */
function spanOf(info) {
  const [low, high] = info.range, more = (high - low) / 3, by = stepOf(info);
  // Sliders count their steps from the lowest value: it has to be free of the errors of binary fractions, or 0 is not 0.
  const whole = (value) => Number((Math.round(value / by) * by).toFixed(2));
  return [Math.max(info.limits[0], whole(low - more)), Math.min(info.limits[1], whole(high + more))];
}

function draw() {
  if (!S.clip) return fill($("edits"), el("p", { class: "note" }, "Open a clip; then move a slider."));
  if (dragging) return update();
  const face = S.people?.faces.find((one) => String(one.track) === S.who);
  rows = new Map();
  fill($("edits"),
    el("div", { class: "who" }, face?.portrait ? el("img", { src: address("portrait", { clip: S.clip.id, track: face.track }), alt: "" }) : null,
      el("span", { class: "quiet" }, "Edits of"), el("strong", {}, nameOf(S.who)), el("span", { class: "fill" }),
      Object.keys(editsOf()).length ? el("button", { class: "plain", "data-focus": "clear", title: "Switch off all edits of this face", onclick: clear }, "Clear") : null),
    inherited(), S.edits.map(row));
  update();
}

/** A face without edits of its own shows those of a rule that may mean it. */
function inherited() {
  const rule = ruleFor();
  return rule ? el("p", { class: "note" }, `These are the edits of “${nameOf(rule.who)}”. What you change here is this face's own.`) : null;
}

function letGo() {
  if (!dragging) return;
  dragging = false;
  settle();
  hold(false);
  draw();
}

function row(info) {
  const [low, high] = spanOf(info), part = (value) => `${(100 * (value - low)) / (high - low)}%`;
  const slider = el("input", {
    type: "range", min: low, max: high, step: stepOf(info), "aria-label": `${title(info.name)}: ${info.description}`, "data-focus": `slider-${info.name}`,
    oninput: () => { if (!dragging) { dragging = true; hold(true); } setStrength(info.name, Number(slider.value), `drag ${info.name}`); },
    // A slider that comes back to where it was held has not changed, as browsers see it, but it is let go all the same.
    onchange: letGo, onpointerup: () => setTimeout(letGo), onpointercancel: () => setTimeout(letGo),
    ondblclick: () => { dragging = false; hold(false); removeEdit(info.name); },
  });
  slider.style.setProperty("--lo", part(info.range[0]));
  slider.style.setProperty("--hi", part(info.range[1]));
  const number = el("input", {
    type: "number", min: info.limits[0], max: info.limits[1], step: "any", "aria-label": `Strength of ${title(info.name)}`, "data-focus": `number-${info.name}`,
    onfocus: () => number.select(), // what is typed takes the place of what is there
    onchange: () => {
      if (number.value === "") return removeEdit(info.name);
      if (number.reportValidity()) setStrength(info.name, Number(number.value));
    },
  });
  for (const one of [slider, number]) one.setAttribute("aria-description", `${natural(info) ? `in ${natural(info)}s, ` : ""}recommended ${info.range.map(plain).join(" to ")}, usual ${plain(info.recommended)}`);
  const [zero, usual] = [el("i"), el("i", { class: "usual", title: `usual: ${plain(info.recommended)}` })];
  zero.style.left = `calc(30px + (100% - 40px) * ${-low / (high - low)})`;
  usual.style.left = `calc(30px + (100% - 40px) * ${(info.recommended - low) / (high - low)})`;
  const dot = el("button", { class: "dot", "data-focus": `dot-${info.name}`, onclick: () => onOff(info) });
  const key = el("button", { class: "key", "data-focus": `key-${info.name}`, onclick: () => toggleKey(info.name) }, "◆");
  const name = el("button", { class: "name", "data-focus": `name-${info.name}`, "aria-expanded": String(opened === info.name), title: info.description, onclick: () => { opened = opened === info.name ? null : info.name; draw(); rows.get(info.name).box.scrollIntoView({ block: "nearest" }); } },
    title(info.name), info.experimental ? el("span", { class: "mark", title: `experimental: ${info.experimental}`, "aria-label": "experimental" }, "exp.") : null);
  const box = el("div", { class: "edit", role: "group", "aria-label": title(info.name), tabIndex: -1, "data-focus": `row-${info.name}` },
    el("div", { class: "head" }, dot, name, el("span", { class: "unit" }, natural(info) ? `${natural(info)}s` : ""), number, key),
    el("div", { class: "slider" }, slider, zero, usual),
    opened === info.name ? more(info) : null);
  rows.set(info.name, { box, slider, number, dot, key });
  return box;
}

const stepOf = (info) => (Math.abs(info.recommended) >= 5 ? 0.5 : 0.05);

/** The values at the playhead, in the rows that are there. */
function update() {
  for (const info of S.edits) {
    const own = rows.get(info.name), edit = shownEdits()[info.name];
    if (!own) continue;
    const value = strengthAt(edit, now()), here = keyHere(edit);
    own.box.classList.toggle("on", Boolean(edit));
    own.box.classList.toggle("theirs", Boolean(edit && ruleFor()));
    if (document.activeElement !== own.slider || !dragging) own.slider.value = value;
    own.slider.setAttribute("aria-valuetext", edit ? told(info, value) : "off");
    if (document.activeElement !== own.number || dragging) own.number.value = edit ? plain(value) : "";
    own.number.placeholder = "off";
    own.dot.setAttribute("aria-pressed", String(Boolean(edit)));
    own.dot.setAttribute("aria-label", `Edit ${title(info.name)}`); // on or off is its state
    own.dot.title = edit ? "Switch off" : `Switch on, at ${plain(info.recommended)}`;
    own.key.className = `key${edit?.keys ? " keyed" : ""}${here ? " here" : ""}`;
    own.key.title = here ? "Take the keyframe at the playhead away" : "Set a keyframe at the playhead";
    own.key.setAttribute("aria-label", `${own.key.title}: ${title(info.name)}`);
  }
}

const kept = new Map(); // strengths that were switched off, for switching on again
function onOff(info) {
  const id = `${S.clip.id} ${S.who} ${info.name}`, edit = shownEdits()[info.name];
  if (edit) { kept.set(id, strengthAt(edit, now())); removeEdit(info.name); } else setStrength(info.name, kept.get(id) || info.recommended);
}

function more(info) {
  const edit = shownEdits()[info.name];
  const leakage = info.attribute_leakage.map(([name, value]) => `${title(name)} ${value > 0 ? "+" : ""}${value}`).join(", ");
  return el("div", { class: "more" }, edit?.keys ? keys(info, edit) : null, strip(info),
    el("div", {}, `${info.description[0].toUpperCase()}${info.description.slice(1)}. Usual ${plain(info.recommended)}, recommended ${info.range.map(plain).join(" to ")}, at most ${info.limits.map(plain).join(" to ")}${natural(info) ? "" : `; 1 is ${info.unit}`}.`),
    leakage ? el("div", {}, `Attribute leakage: ${leakage}.`) : null,
    info.experimental ? el("div", { class: "warn" }, `Experimental: ${info.experimental}.`) : null,
  );
}

function keys(info, edit) {
  return el("div", { class: "keylist" }, edit.keys.flatMap((key, i) => [
    el("input", { value: clock(key.time), "aria-label": `Time of keyframe ${i + 1}`, "data-focus": `kt-${info.name}-${i}`, onchange: (event) => {
      const time = seconds(event.target.value);
      if (Number.isFinite(time)) changeKey(info.name, i, { time }); else draw();
    } }),
    el("input", { type: "number", step: "any", min: info.limits[0], max: info.limits[1], value: plain(key.strength), "aria-label": `Strength of keyframe ${i + 1}`, "data-focus": `ks-${info.name}-${i}`,
      onchange: (event) => { if (event.target.reportValidity() && event.target.value !== "") changeKey(info.name, i, { strength: Number(event.target.value) }); } }),
    el("select", { "aria-label": `Easing after keyframe ${i + 1}`, "data-focus": `ke-${info.name}-${i}`, onchange: (event) => changeKey(info.name, i, { easing: event.target.value }) },
      S.easings.map((name) => el("option", { value: name, selected: key.easing === name }, name))),
    el("button", { class: "plain", title: "Go to it", "aria-label": `Go to keyframe ${i + 1}`, "data-focus": `kg-${info.name}-${i}`, onclick: () => goTo(frameAt(key.time)) }, "→"),
    el("button", { class: "plain", title: "Take it away", "aria-label": `Take keyframe ${i + 1} away`, "data-focus": `kx-${info.name}-${i}`, onclick: () => removeKey(info.name, i) }, "✕"),
  ]));
}

/** Five strengths of this face, on demand; one click takes one over. */
let made = { key: "", place: null }; // the strip that is there: it stays until the face, the frame or another edit changes
function strip(info) {
  const { [info.name]: _, ...others } = shownEdits();
  const key = JSON.stringify([S.clip.id, S.who, S.frame, info.name, others]);
  if (made.key === key) return made.place;
  const place = el("div", {});
  const [low, high] = info.range, strengths = [low, low / 2, 0, high / 2, high].map((value) => Math.round(value * 100) / 100);
  const make = async (event) => {
    event.target.disabled = true;
    event.target.textContent = "Making five strengths …";
    try {
      const response = await post("strip", { clip: S.clip.id, document: shown_(), time: now(), edit: info.name, who: S.who, strengths, viewer });
      const bitmap = await createImageBitmap(await response.blob()), size = bitmap.height;
      fill(place, el("div", { class: "strip" }, strengths.map((value, i) => {
        const canvas = el("canvas", { width: size, height: size });
        canvas.getContext("2d").drawImage(bitmap, -i * size, 0);
        return el("figure", {}, el("button", { "aria-label": `${title(info.name)} ${value}`, onclick: () => setStrength(info.name, value) }, canvas), el("figcaption", {}, plain(value)));
      })));
      made = { key, place };
      place.scrollIntoView({ block: "nearest" });
    } catch (error) { event.target.disabled = false; event.target.textContent = "Five strengths of this face"; tell(error); }
  };
  place.append(el("button", { onclick: make }, "Five strengths of this face"));
  return place;
}

on("clip doc people who", draw);
on("frame", () => { if (made.place?.isConnected) draw(); else update(); }); // the strip is of one frame
