// What is rendered and how, and the queue: which lives in the studio, not in this page.

import { get, post, text } from "./api.js";
import { $, clock, el, fill, say, soon, toast } from "./dom.js";
import { play } from "./player.js";
import { S, change, document_, ending, isMoving, isUnsaved, on, open, save, tell } from "./store.js";

const form = { replace: false, estimate: "", plan: null, planError: "" };
let jobs = { paused: false, jobs: [] }, logs = new Map(), showTab = () => {}, listFiles = () => {};

const CODECS = [["", "as the source"], ["h264", "H.264"], ["hevc", "H.265"], ["av1", "AV1"], ["vp9", "VP9"], ["prores", "ProRes"], ["ffv1", "FFV1 (lossless)"]];

async function plan() {
  const clip = S.clip?.id;
  if (!clip || !document_().targets.length) { form.plan = null; $("copy").disabled = true; return drawForm(); }
  try {
    form.plan = await post("plan", { clip, document: document_() });
    form.planError = "";
  } catch (error) { form.plan = null; form.planError = error.message; }
  if (clip === S.clip?.id) { drawForm(); $("copy").disabled = !form.plan; }
}

export async function copyCommand() {
  if (isUnsaved()) await save(); // edits for several faces are told by the project's file
  await plan();
  if (!form.plan) return;
  try { await navigator.clipboard.writeText(form.plan.command); toast(`Copied: ${form.plan.command}`); } catch { toast(form.plan.command); }
}

const setting = (name, value) => change(name, (doc) => { if (value === "" || value === false || value === undefined) delete doc.settings[name]; else doc.settings[name] = value; });

function drawForm() {
  if (!S.clip) return fill($("render"), el("p", { class: "note" }, "Open a clip first."));
  const set = S.doc.settings, { start, end } = set, edited = document_().targets.length > 0;
  const check = (name, words, on_, f, hint) => el("label", { class: "check", title: hint }, el("input", { type: "checkbox", checked: on_, "data-focus": name, onchange: (event) => f(event.target.checked) }), words);
  const select = (name, words, options, value) => [el("label", { for: `set-${name}` }, words), el("select", { id: `set-${name}`, "data-focus": name, onchange: (event) => setting(name, event.target.value) }, options.map(([id, label]) => el("option", { value: id, selected: id === (value ?? "") }, label)))];
  const quality = el("input", { id: "set-crf", type: "number", min: 0, max: 63, step: 1, placeholder: "as usual", value: set.crf ?? "", disabled: Boolean(set.lossless), "data-focus": "crf", onchange: (event) => event.target.reportValidity() && setting("crf", event.target.value === "" ? "" : Number(event.target.value)) });
  fill($("render"), edited ? null : el("p", { class: "note warn" }, "No edit is on: move a slider first."),
    el("div", { class: "form" },
      el("label", { class: "wide", for: "set-name" }, "File, beside the clip"), el("input", { class: "wide", id: "set-name", value: S.doc.name || form.plan?.name || "", title: S.doc.name || form.plan?.name || "", "data-focus": "name", onchange: (event) => { const name = event.target.value.trim(); change("name of the file", (doc) => { if (name && name !== form.plan?.name) doc.name = name; else if (!name) delete doc.name; }); drawForm(); } }),
      check("replace", "Replace if it is there", form.replace, (on_) => { form.replace = on_; }, "Otherwise a file that is there is left as it is"),
      form.plan?.exists && !form.replace ? el("p", { class: "wide warn" }, "A file of that name is there: choose another name, or replace it.") : null,
      el("span", { class: "quiet" }, "Span"), el("span", {}, start === undefined && end === undefined ? `all, ${clock(ending())}` : `${clock(start ?? 0)} – ${clock(end ?? ending())}`),
      el("div", { class: "buttons wide" },
        el("button", { class: "main", "data-focus": "render", disabled: !edited, onclick: render }, "Add to the queue"),
        el("button", { "data-focus": "estimate", disabled: !edited, onclick: estimate }, "Estimate time")),
      form.planError ? el("p", { class: "wide bad" }, form.planError) : null,
      form.estimate ? el("p", { class: "wide quiet" }, form.estimate) : null,
      el("h2", {}, "Encoding"), select("codec", "Codec", CODECS, set.codec),
      el("label", { for: "set-crf", title: "Lower is better and larger" }, "Quality (crf)"), quality,
      check("lossless", "Lossless", set.lossless, (on_) => change("lossless", (doc) => { if (on_) { doc.settings.lossless = true; delete doc.settings.crf; } else delete doc.settings.lossless; })),
      el("h2", {}, "Faces"), select("method", "Method", [["", "automatic"], ["student", "student"], ["hfgi", "HFGI"]], set.method),
      select("restore", "Restoration", [["", "automatic"], ["none", "none"], ["small", "small (ships)"]], set.restore),
      el("h2", {}, "Also write"), select("compare", "Comparison", [["", "none"], ["side", "side by side"], ["wipe", "moving wipe"]], set.compare),
      check("matte", "Matte of the edit, in grey", Boolean(S.doc.matte), (on_) => change("matte", (doc) => { if (on_) doc.matte = true; else delete doc.matte; })),
      check("sidecar", "JSON of what was done", set.sidecar, (on_) => setting("sidecar", on_)),
      form.plan ? el("details", { class: "wide quiet" }, el("summary", {}, "The same as a command"), el("p", {}, el("code", {}, form.plan.command))) : null));
}

const wish = () => ({ clip: S.clip.id, document: document_(), replace: form.replace });

async function render() {
  try {
    await post("render", wish());
    toast("In the queue. You can close this page: the studio renders on.");
    showTab("queue");
    load();
  } catch (error) { tell(error); }
}

async function estimate() {
  form.estimate = "Timing the networks on some frames …";
  drawForm();
  try { form.estimate = (await post("estimate", wish())).words; say(form.estimate); } catch (error) { form.estimate = ""; tell(error); }
  drawForm();
}

// -- the queue -------------------------------------------------------------------------------------------------------

const quarter = (job) => (job?.state === "running" && job.phase === "render" ? Math.floor((job.share ?? 0) * 4) : 0);

/** Says what has come of jobs since the page last heard of them: aloud, each quarter of one that runs. */
function hear(now) {
  const before = new Map(jobs.jobs.map((job) => [job.id, job.state])), quarters = new Map(jobs.jobs.map((job) => [job.id, quarter(job)]));
  const far = now.jobs.find((job) => quarter(job) > (quarters.get(job.id) ?? 0));
  if (far) say(`${far.name}: ${25 * quarter(far)} % rendered.`);
  jobs = now;
  for (const job of now.jobs.filter((one) => ["waiting", "running"].includes(before.get(one.id)))) {
    if (job.state === "done") { toast(`${job.name} is ready, beside its source.`); listFiles(); }
    if (job.state === "failed") toast(`${job.name}: ${job.error}`, true);
  }
}

let loading = false, again = false;
export async function load() {
  if (loading) { again = true; return; }
  loading = true;
  try { hear(await get("queue")); } catch (error) { tell(error); }
  loading = false;
  drawQueue();
  if (again) { again = false; load(); }
}

async function act(id, action) {
  try { await post(`queue/${id}`, { action }); } catch (error) { tell(error); }
  load();
}

function left(job) {
  if (job.state !== "running" || !job.share || !job.started || job.phase !== "render") return "";
  const gone = Date.now() / 1000 - job.started, rest = job.left ?? (gone * (1 - job.share)) / job.share;
  if (job.share >= 1) return ", writes the end of the file";
  return job.share > 0.03 ? `, about ${rest < 90 ? `${Math.round(rest)} s` : `${Math.round(rest / 60)} min`} left` : "";
}

function drawQueue() {
  const open_ = jobs.jobs.filter((job) => ["waiting", "running"].includes(job.state)).length;
  $("waiting").textContent = open_ ? String(open_) : "";
  fill($("queue"), el("div", { class: "buttons" },
    el("button", { "aria-pressed": String(jobs.paused), "data-focus": "pause", title: "What runs is finished; nothing further is begun", onclick: async () => { await post("pause", { paused: !jobs.paused }).catch(tell); load(); } }, jobs.paused ? "Go on" : jobs.jobs.some((job) => job.state === "running") ? "Pause after this one" : "Pause"),
    jobs.paused ? el("span", { class: "warn" }, "paused") : null),
  jobs.jobs.length ? el("div", {}, jobs.jobs.map(card)) : el("p", { class: "note" }, "Nothing has been rendered yet."));
}

function card(job) {
  const words = {
    waiting: "waits", done: "done", stopped: "stopped", failed: "failed",
    running: job.phase === "look" ? "looks for faces" : `renders frame ${job.done}${job.frames ? ` of ${job.frames}` : ""}`,
  }[job.state];
  const waiting = jobs.jobs.filter((one) => one.state === "waiting").map((one) => one.id);
  const button = (action, label, title, off = false) => el("button", { title, disabled: off, "aria-label": `${title && label.length < 2 ? title : label}: ${job.name}`, "data-focus": `${action}-${job.id}`, onclick: () => act(job.id, action) }, label);
  const bar = job.state === "running" ? el("progress", { max: 1, "aria-label": `Progress of ${job.name}` }) : null;
  if (bar && job.share !== null) bar.value = job.share;
  return el("article", { class: "job", "data-state": job.state, "aria-label": `${job.name}, ${words}` },
    el("h3", { "aria-level": "2" }, job.name), el("div", { class: { done: "good", failed: "bad" }[job.state] ?? "quiet" }, words + left(job)),
    bar, job.error ? el("div", { class: "bad" }, job.error) : null,
    el("div", { class: "buttons" },
      job.state === "waiting" ? [button("up", "↑", "Sooner", job.id === waiting[0]), button("down", "↓", "Later", job.id === waiting.at(-1))] : null,
      ["waiting", "running"].includes(job.state) ? button("stop", "Stop", job.state === "running" ? "Stop now; finished parts are kept" : "Take it out of the queue") : null,
      ["failed", "stopped"].includes(job.state) ? button("retry", "Try again") : null,
      job.file ? el("button", { "data-focus": `beside-${job.id}`, "aria-label": `Play beside the source: ${job.name}`, onclick: () => beside(job) }, "Play beside the source") : null,
      job.file ? el("button", { "data-focus": `open-${job.id}`, "aria-label": `Open: ${job.name}`, onclick: () => open(job.file).catch(tell) }, "Open") : null,
      job.state === "waiting" ? null : el("button", { "data-focus": `log-${job.id}`, "aria-label": `Log: ${job.name}`, "aria-expanded": String(logs.has(job.id)), onclick: () => log(job.id) }, "Log"),
      ["done", "failed", "stopped"].includes(job.state) ? button("remove", "Remove", "Out of this list; the file stays") : null),
    logs.has(job.id) ? el("pre", {}, logs.get(job.id)) : null);
}

async function log(id) {
  if (logs.has(id)) logs.delete(id);
  else {
    try { logs.set(id, await text(`queue/${id}/log`)); } catch (error) { tell(error); }
  }
  drawQueue();
}

async function beside(job) {
  try {
    if (S.clip?.id !== job.clip) await open(job.clip);
    await play(1, job.file);
  } catch (error) { tell(error); }
}

let planTimer = null;
export function begin(show, list) {
  [showTab, listFiles] = [show, list];
  on("clip", () => Object.assign(form, { replace: false, estimate: "", plan: null, planError: "" }));
  on("clip doc rest", soon(() => { form.estimate = ""; drawForm(); clearTimeout(planTimer); planTimer = setTimeout(plan, 400); }, isMoving));
  drawForm();
  load();
}
