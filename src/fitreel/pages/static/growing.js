// The reel of a training that runs: it gets frames and points as they come.

const MOST_FRAMES = 200; // then every second one is dropped
const MOST_POINTS = 4000; // of a curve; then two of four are dropped

class GrowingReel extends Reel {
  constructor(data) {
    super(data);
    this.frames = [];
    this.frameEpochs = [];
    this.frameLosses = [];
  }

  add({ step, loss, values, predicted }) {
    if (this.frames.length >= MOST_FRAMES) {
      for (const name of ["frames", "frameEpochs", "frameLosses"]) this[name] = this[name].filter((_, at) => at % 2);
    }
    this.frames.push({ values: decoded(values, Uint16Array), predicted: predicted && decoded(predicted, Uint8Array) });
    this.frameEpochs.push(step);
    this.frameLosses.push(loss);
    this.size = this.frames[0].values.length;
  }

  at(place) {
    return this.frames[place]?.values ?? [];
  }

  classOf(place, row) {
    return this.frames[place]?.predicted[row];
  }
}

class Curve {
  constructor() {
    this.steps = [];
    this.values = [];
  }

  add([steps, values]) {
    this.steps.push(...steps);
    this.values.push(...values);
    if (this.steps.length > MOST_POINTS) this.thin();
  }

  // Of four points the lowest and the highest stay, so that a spike does; and the last.
  thin() {
    const kept = [];
    for (let start = 0; start < this.steps.length; start += 4) {
      const places = [start, start + 1, start + 2, start + 3].filter((at) => at < this.steps.length);
      places.sort((one, other) => this.values[one] - this.values[other]);
      kept.push(...[...new Set([places[0], places[places.length - 1]])].sort((one, other) => one - other));
    }
    const last = this.steps.length - 1;
    if (kept[kept.length - 1] !== last) kept.push(last);
    this.steps = kept.map((at) => this.steps[at]);
    this.values = kept.map((at) => this.values[at]);
  }
}
