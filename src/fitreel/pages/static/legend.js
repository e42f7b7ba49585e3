// The legend of a view: its classes, the marks of rows, and the bands of a field.

function makeLegend(parent, reel) {
  const entry = (sample, text) => element("span", {}, sample, ` ${text}`);
  const swatchOf = (colour) => {
    const made = element("i", { className: "swatch" });
    made.style.background = colour;
    return made;
  };
  const parts = reel.kind === "agreement" ? [] : reel.classes.slice(0, 20).map((name, place) => entry(swatchOf(reel.hue(place)), name));
  if (reel.kind === "field") parts.push(entry(bandsOf(reel), `${reel.target}: ${reading(reel.low)} to ${reading(reel.high)}`));
  if (reel.kind === "curve") parts.push(entry(element("i", { className: "sample line" }), "the model"));
  if (reel.kind === "agreement") parts.push(entry(element("i", { className: "sample line" }), "predicted as it is"));
  const isPlain = !["curve", "agreement"].includes(reel.kind);
  parts.push(entry(element("i", { className: isPlain ? "dot plain" : "dot" }), reel.line ? "point" : "training row"));
  if (reel.testLosses) parts.push(entry(element("i", { className: isPlain ? "dot test plain" : "dot test" }), reel.line ? "test point" : "test row"));
  if (reel.predicted) parts.push(entry(element("b", {}, "×"), "wrong"));
  parent.replaceChildren(...parts);
}

function bandsOf(reel) {
  const made = element("i", { className: "bands" });
  made.style.background = `linear-gradient(to right, ${reel.hues.map((hue, place) => `${hue} ${(100 * place) / reel.hues.length}% ${(100 * (place + 1)) / reel.hues.length}%`).join(", ")})`;
  return made;
}
