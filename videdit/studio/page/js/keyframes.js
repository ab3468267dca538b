// Strengths over time: as videdit.edits.keyframes has them.

const easings = {
  "linear": (u) => u, "ease-in": (u) => u ** 3, "ease-out": (u) => 1 - (1 - u) ** 3,
  "ease-in-out": (u) => u * u * (3 - 2 * u), "hold": () => 0,
};

/** The strength of an edit at a time, as the render has it (videdit.edits.keyframes). */
export function strengthAt(edit, time) {
  if (!edit) return 0;
  if (!edit.keys?.length) return edit.strength;
  const after = edit.keys.findIndex((key) => key.time > time);
  if (after === 0) return edit.keys[0].strength;
  if (after < 0) return edit.keys.at(-1).strength;
  const [last, next] = [edit.keys[after - 1], edit.keys[after]];
  const way = easings[last.easing]((time - last.time) / (next.time - last.time));
  return (1 - way) * last.strength + way * next.strength;
}

/** A keyframe in its place, instead of one that is there. */
export function putKey(edit, key) {
  edit.keys = [...edit.keys.filter((other) => Math.abs(other.time - key.time) > 1e-6), key].sort((a, b) => a.time - b.time);
}
