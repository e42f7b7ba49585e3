// Parallel coordinates: a line a trial through all axes, and ranges that are chosen by dragging.

const SHADES = 24; // colours between the best and the worst
const MOST_LINES = 2000;
const BEST = 9; // lines that are thick
const MOST_TICKS_APART = 16; // pixels from one label of an axis to the next
const GRAB = 26; // pixels next to an axis that belong to it

// The value at a place from 0 to 1 of an axis.
function valueAt(axis, place) {
  const { low, high } = axis;
  if (axis.kind === "log") return low * (high / low) ** place;
  if (axis.kind === "unexplained") return 1 - (1 - low) * ((1 - high) / (1 - low)) ** place;
  return low + (high - low) * place;
}

// From dark and strong for the best to pale for the worst, on either paper.
function shadeOf(part) {
  const [best, worst] = isDark() ? [[255, 214, 102], [58, 66, 94]] : [[68, 1, 84], [170, 205, 190]];
  return `rgb(${best.map((each, at) => Math.round(each + (worst[at] - each) * part)).join()})`;
}

class Parallel {
  // `shades` are from 0, the best, to 1; NaN without a score. `onBrush` gets called after a change,
  // `onPoint` with the trial whose line is pointed at, `onPick` with one that is pressed.
  constructor(parent, axes, shades, { onBrush, onPoint, onPick }) {
    Object.assign(this, { parent, axes, shades, onPoint, onPick });
    this.ranges = axes.map(() => null); // [low, high] in places
    this.onBrush = onBrush;
    this.chosen = new Uint8Array(shades.length).fill(1);
    this.lit = null;
    // Those without a score first, then from the worst on: the best are drawn on top.
    const rank = (trial) => (Number.isNaN(shades[trial]) ? 2 : shades[trial]);
    this.order = [...shades.keys()].sort((one, other) => rank(other) - rank(one));
    // By rank: most scores are near the best, and would all be dark.
    const scored = this.order.filter((trial) => !Number.isNaN(shades[trial])), last = Math.max(1, scored.length - 1);
    this.parts = new Float32Array(shades.length).fill(NaN);
    scored.forEach((trial, at) => (this.parts[trial] = ((last - at) / last) ** 0.5));
    parent.style.minWidth = `${Math.max(280, 84 * axes.length)}px`; // narrower ones are scrolled
    [this.crowd, this.marks] = parent.querySelectorAll("canvas");
    new ResizeObserver(() => this.resize()).observe(parent);
    darkness.addEventListener("change", () => this.draw());
    this.listen();
    this.resize();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.parent, ratio = devicePixelRatio || 1;
    if (!width || (width === this.width && height === this.height && ratio === this.ratio)) return;
    Object.assign(this, { width, height, ratio });
    for (const canvas of [this.crowd, this.marks]) {
      canvas.width = width * ratio;
      canvas.height = height * ratio;
    }
    this.draw();
  }

  left(axis) {
    const [from, to] = [66, this.width - 66];
    return this.axes.length < 2 ? this.width / 2 : from + ((to - from) * axis) / (this.axes.length - 1);
  }

  top(place) {
    return 34 + (this.height - 34 - 16) * (1 - place);
  }

  placeAt(y) {
    return Math.min(1, Math.max(0, 1 - (y - 34) / (this.height - 34 - 16)));
  }

  context(canvas) {
    const context = canvas.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.lineJoin = "round";
    return context;
  }

  trace(context, trial) {
    let isBegun = false;
    this.axes.forEach(({ places }, axis) => {
      if (Number.isNaN(places[trial])) return; // no score: the line ends at the last setting
      const x = this.left(axis), y = this.top(places[trial]);
      if (isBegun) context.lineTo(x, y);
      else context.moveTo(x, y);
      isBegun = true;
    });
  }

  draw() {
    const context = this.context(this.crowd);
    const others = this.some(this.order.filter((trial) => !this.chosen[trial]));
    const chosen = this.some(this.order.filter((trial) => this.chosen[trial]));
    const crowd = (trials) => Math.min(1, 60 / Math.max(1, trials.length));
    context.globalAlpha = 0.25 + 0.5 * crowd(others);
    this.stroke(context, colours.grid, 1, others);
    context.globalAlpha = 0.3 + 0.6 * crowd(chosen);
    this.stroke(context, colours.dead, 0.8, chosen.filter((trial) => Number.isNaN(this.shades[trial])));
    // A path for each shade: with one for each line ten thousand take a second.
    for (let shade = SHADES - 1; shade >= 0; shade--) {
      const part = shade / (SHADES - 1);
      context.globalAlpha = Math.min(1, 0.35 + 0.5 * crowd(chosen) + 0.6 * (1 - part) ** 3);
      const these = chosen.filter((trial) => Math.round(this.parts[trial] * (SHADES - 1)) === shade);
      this.stroke(context, shadeOf(part), 1, these);
    }
    this.stroke(context, shadeOf(0), 2, chosen.filter((trial) => !Number.isNaN(this.shades[trial])).slice(-BEST));
    this.drawMarks();
  }

  // At most as many lines as the eye can separate: every so many of an order, its last always.
  some(trials) {
    const step = Math.ceil(trials.length / MOST_LINES);
    return trials.filter((_, at) => (trials.length - 1 - at) % step === 0 || at >= trials.length - BEST);
  }

  stroke(context, colour, width, trials) {
    if (!trials.length) return;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    for (const trial of trials) this.trace(context, trial);
    context.stroke();
  }

  drawMarks() {
    const context = this.context(this.marks);
    if (this.lit !== null) {
      for (const [colour, width] of [[colours.paper, 6], [colours.line, 3]]) this.stroke(context, colour, width, [this.lit]);
    }
    this.axes.forEach((axis, number) => this.drawAxis(context, axis, number));
  }

  drawAxis(context, axis, number) {
    const x = this.left(number), isLast = number === this.axes.length - 1;
    const range = this.ranges[number];
    if (range) {
      const [top, bottom] = [this.top(range[1]), this.top(range[0])];
      context.fillStyle = context.strokeStyle = colours.points;
      context.globalAlpha = 0.25;
      context.fillRect(x - 9, top, 18, bottom - top);
      context.globalAlpha = 1;
      context.lineWidth = 1.5;
      context.strokeRect(x - 9, top, 18, bottom - top);
    }
    context.strokeStyle = context.fillStyle = colours.ink;
    context.lineWidth = 1.2;
    context.beginPath();
    context.moveTo(x, this.top(0));
    context.lineTo(x, this.top(1));
    context.stroke();
    context.font = "600 13px system-ui, sans-serif";
    context.textAlign = number ? (isLast ? "right" : "center") : "left";
    const room = Math.max(60, (this.width - 132) / Math.max(1, this.axes.length - 1) - 8);
    context.fillText(this.fitting(context, axis.name, room), number ? (isLast ? this.width - 2 : x) : 2, 14);
    context.font = FONT;
    context.textAlign = isLast ? "left" : "right";
    context.textBaseline = "middle";
    let before = Infinity;
    for (const [place, text] of axis.ticks) {
      const y = this.top(place);
      context.fillRect(x - 3, y - 0.5, 6, 1);
      if (before - y < MOST_TICKS_APART) continue;
      before = y;
      const label = this.fitting(context, text, 56), width = context.measureText(label).width;
      context.globalAlpha = 0.78;
      context.fillStyle = colours.panel;
      context.fillRect(isLast ? x + 6 : x - 8 - width, y - 8, width + 2, 16);
      context.globalAlpha = 1;
      context.fillStyle = colours.ink;
      context.fillText(label, isLast ? x + 7 : x - 7, y);
    }
    context.textBaseline = "alphabetic";
  }

  fitting(context, text, room) {
    let shown = text;
    while (shown.length > 1 && context.measureText(shown).width > room) shown = `${shown.replace("…", "").slice(0, -1)}…`;
    return shown;
  }

  // Whether a trial is in every range that was chosen.
  isInRanges(trial) {
    return this.ranges.every((range, axis) => {
      const place = this.axes[axis].places[trial];
      return !range || (place >= range[0] - 1e-6 && place <= range[1] + 1e-6);
    });
  }

  setChosen(chosen) {
    this.chosen = chosen;
    this.draw();
  }

  light(trial) {
    if (trial === this.lit) return;
    this.lit = trial;
    this.drawMarks();
  }

  clear() {
    this.ranges = this.axes.map(() => null);
    this.onBrush();
  }

  listen() {
    let axis = null, from = null, isMoved = false;
    const at = (event) => {
      const box = this.parent.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const { marks } = this;
    marks.style.touchAction = "pan-x";
    marks.addEventListener("pointerdown", (event) => {
      const [x, y] = at(event);
      const near = this.axes.findIndex((_, number) => Math.abs(this.left(number) - x) < GRAB);
      if (near < 0) {
        const trial = this.nearestLine(x, y);
        if (trial !== null) this.onPick(trial);
        return;
      }
      marks.setPointerCapture(event.pointerId);
      [axis, from, isMoved] = [near, this.placeAt(y), false];
    });
    marks.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      if (axis === null) {
        marks.style.cursor = this.axes.some((_, number) => Math.abs(this.left(number) - x) < GRAB) ? "ns-resize" : "pointer";
        this.onPoint(this.nearestLine(x, y));
        return;
      }
      const place = this.placeAt(y);
      if (Math.abs(place - from) < 0.01 && !isMoved) return;
      isMoved = true;
      this.ranges[axis] = [Math.min(from, place), Math.max(from, place)];
      this.onBrush();
    });
    marks.addEventListener("pointerup", () => {
      if (axis !== null && !isMoved) {
        this.ranges[axis] = null;
        this.onBrush();
      }
      axis = null;
    });
    marks.addEventListener("pointercancel", () => (axis = null));
    marks.addEventListener("pointerleave", () => axis === null && this.onPoint(null));
  }

  // The chosen trial whose line passes nearest to a point, within a few pixels.
  nearestLine(x, y) {
    let right = this.axes.findIndex((_, number) => this.left(number) >= x);
    if (right < 1) return null;
    const [from, to] = [this.left(right - 1), this.left(right)], part = (x - from) / (to - from);
    let found = null, least = 8;
    for (const trial of this.order) {
      if (!this.chosen[trial]) continue;
      const one = this.axes[right - 1].places[trial], other = this.axes[right].places[trial];
      const distance = Math.abs(this.top(one + (other - one) * part) - y);
      if (distance <= least) [found, least] = [trial, distance];
    }
    return found;
  }
}
