// Small helpers: elements, words for times, short messages.

export const $ = (id) => document.getElementById(id);

/** An element: el("button", {class: "plain", onclick: f, "aria-label": "x"}, "words", child). */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (key in element && key !== "list" && !key.startsWith("aria")) element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Puts children in place of what an element holds; the focus stays where it was, by data-focus. */
export function fill(element, ...children) {
  const inside = document.activeElement !== element && element.contains(document.activeElement);
  const focus = inside ? document.activeElement.dataset.focus : null;
  const scroll = element.scrollTop;
  element.replaceChildren(...children.flat(Infinity).filter(Boolean));
  element.scrollTop = scroll;
  if (!inside) return;
  const again = focus && element.querySelector(`[data-focus="${CSS.escape(focus)}"]`);
  // What had the focus is gone: it stays in its place of the page, not at the beginning.
  if (again) again.focus({ preventScroll: true }); else { element.tabIndex = -1; element.focus({ preventScroll: true }); }
}

/** f, once a picture of the screen however often it is called. unless: calls are left out while it says so. */
export function soon(f, unless = () => false) {
  let queued = false;
  return () => {
    if (queued || unless()) return;
    queued = true;
    requestAnimationFrame(() => { queued = false; f(); });
  };
}

/** 65.04 -> "1:05.040" */
export function clock(seconds) {
  const milli = Math.round(Math.max(0, seconds) * 1000);
  const s = (milli % 60000) / 1000;
  const minutes = Math.floor(milli / 60000);
  const tail = s.toFixed(3).padStart(6, "0");
  return minutes < 60 ? `${minutes}:${tail}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${tail}`;
}

/** "1:05.04", "65.04" -> seconds; NaN where it is no time. */
export function seconds(words) {
  const parts = words.trim().replace(",", ".").split(":");
  if (parts.length > 3 || parts.some((part) => !/^\d+(\.\d*)?$/.test(part))) return NaN;
  return parts.reduce((sum, part) => sum * 60 + Number(part), 0);
}

export function bytes(size) {
  if (size < 1e6) return `${Math.max(1, Math.round(size / 1e3))} kB`;
  return size < 1e9 ? `${(size / 1e6).toFixed(1)} MB` : `${(size / 1e9).toFixed(1)} GB`;
}

/** A number in as few digits as it needs. */
export const plain = (value) => String(Math.round(value * 1000) / 1000);

export function toast(words, bad = false) {
  if (!words) return;
  const note = el("div", { class: bad ? "toast bad" : "toast" }, words);
  for (const other of [...$("toasts").children]) if (other.textContent === words) other.remove(); // not twice
  $("toasts").append(note);
  say(words, bad);
  setTimeout(() => note.remove(), bad ? 9000 : 4500);
}

/** To those who listen to the page. */
export function say(words, bad = false) {
  const place = $(bad ? "alarm" : "said");
  place.textContent = "";
  if (words) setTimeout(() => { place.textContent = words; }, 50);
}

/** Tabs as screen readers know them: arrows move, the panel of the chosen one is shown. */
export function tabs(ids, shown = () => {}) {
  const buttons = ids.map((id) => $(`tab-${id}`));
  const choose = (id, focus = false) => {
    ids.forEach((other, i) => {
      const on = other === id;
      buttons[i].setAttribute("aria-selected", String(on));
      buttons[i].tabIndex = on ? 0 : -1;
      $(other).hidden = !on;
      if (on && focus) buttons[i].focus();
    });
    shown(id);
  };
  buttons.forEach((button, i) => {
    button.addEventListener("click", () => choose(ids[i]));
    button.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (by) { choose(ids[(i + by + ids.length) % ids.length], true); event.preventDefault(); event.stopPropagation(); }
    });
  });
  return choose;
}
