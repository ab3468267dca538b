// The studio's server: requests, and the events it tells.

/** A mistake that the server has told in one line. */
export class Refused extends Error {
  constructor(words, kind, status) { super(words); this.kind = kind; this.status = status; }
}

export const viewer = crypto.randomUUID();

async function answer(request) {
  let response;
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The studio does not answer. Is it still running in its terminal?", "gone", 0);
  }
  if (response.ok) return response;
  let told = {};
  try { told = await response.json(); } catch { /* no JSON: a proxy, or the end of the server */ }
  throw new Refused(told.error ?? `The studio answered ${response.status}.`, told.kind ?? "", response.status);
}

export const address = (name, words = {}) => {
  const query = new URLSearchParams(Object.entries(words).filter(([, value]) => value !== undefined && value !== null));
  return `/api/${name}${query.size ? `?${query}` : ""}`;
};

export async function get(name, words = {}, signal) {
  return (await answer(fetch(address(name, words), { signal }))).json();
}

export async function text(name) {
  return (await answer(fetch(address(name)))).text();
}

export async function post(name, words, signal) {
  const body = JSON.stringify(words);
  const response = await answer(fetch(`/api/${name}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body, signal,
    keepalive: name === "project" && body.length < 60_000, // it arrives though the page is closed; browsers bound these
  }));
  return (response.headers.get("Content-Type") ?? "").startsWith("application/json") ? response.json() : response;
}

/** A picture and what the server says of it: {bitmap, facts}. */
export async function picture(request) {
  const begun = performance.now(), response = await request, answered_ = performance.now();
  const facts = JSON.parse(response.headers.get("X-Frame-Facts") ?? "{}");
  const blob = await response.blob(), read = performance.now(), bitmap = await createImageBitmap(blob);
  const spent = {
    answer: answered_ - begun, read: read - answered_, decode: performance.now() - read, bytes: blob.size,
    server: response.headers.get("Server-Timing") ?? "",
  };
  return { bitmap, facts, spent };
}

export const frame = (words, signal) => picture(answer(fetch(address("frame", words), { signal })));
export const preview = (words, signal) => picture(post("preview", { ...words, viewer }, signal));

const UNSEEN = 30_000; // ms after which a page that nobody sees lets go of its connection: browsers have six for all tabs

/** Calls handlers[kind](values) for each event; `lost` and `found` when the server goes and comes back, `back` when
 * the page is seen again after it had stopped listening. */
export function listen(handlers) {
  let source = null, gone = false, timer = null;
  const open = (returning) => {
    const own = source = new EventSource("/api/events");
    for (const kind of ["look", "review", "names", "project", "queue", "playback"]) {
      own.addEventListener(kind, (event) => handlers[kind]?.(JSON.parse(event.data)));
    }
    own.addEventListener("error", () => {
      if (own !== source) return;
      if (!gone) { gone = true; handlers.lost(); }
      if (own.readyState === EventSource.CLOSED) setTimeout(() => { if (own === source) open(false); }, 2000);
    });
    own.addEventListener("open", () => {
      if (gone) { gone = false; handlers.found(); } else if (returning) handlers.back();
    });
  };
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => { source.close(); source = null; }, UNSEEN);
    else if (!source) open(true);
  });
  open(false);
}
