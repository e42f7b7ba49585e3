// The reel: the predictions of each frame on a grid or on rows, of any model.

const STEPS = 65535; // of a quantised number

class Reel {
  constructor(data) {
    for (const name of ["kind", "features", "target", "classes", "grid", "low", "high", "levels"]) this[name] = data[name];
    this.hues = data.colours;
    this.xRange = data.x_range;
    this.yRange = data.y_range;
    this.losses = decoded(data.losses, Float64Array);
    this.frameEpochs = decoded(data.frame_epochs, Float64Array);
    this.frameLosses = decoded(data.frame_losses, Float64Array);
    this.testLosses = data.test_losses && decoded(data.test_losses, Float64Array);
    this.targets = decoded(data.targets, Float32Array); // numbers, or places of classes
    this.inputs = data.inputs.map((each) => decoded(each, Float32Array));
    this.trainingRows = data.training_rows; // of those shown; the others are test rows
    this.values = decoded(data.values, Uint16Array);
    this.predicted = data.predicted && decoded(data.predicted, this.classes.length > 256 ? Uint16Array : Uint8Array); // classes of the rows
    this.line = data.line && decoded(data.line, Float32Array); // x of a curve
    this.size = this.values.length / this.frameEpochs.length;
  }

  // The last frame at or before an epoch.
  frameAt(epoch) {
    return Math.max(0, lastAtMost(this.frameEpochs, epoch));
  }

  // The quantised numbers of a frame.
  at(place) {
    return this.values.subarray(place * this.size, (place + 1) * this.size);
  }

  number(quantised) {
    return this.low + (quantised / STEPS) * (this.high - this.low);
  }

  // What a curve predicts at x, in straight lines between its places; null beyond its ends.
  valueAt(place, x) {
    const { line } = this, values = this.at(place);
    if (x < line[0] || x > line[line.length - 1]) return null;
    const first = Math.min(lastAtMost(line, x), line.length - 2), width = line[first + 1] - line[first];
    const share = width ? (x - line[first]) / width : 0;
    return this.number(values[first] * (1 - share) + values[first + 1] * share);
  }

  // The rows as points of a chart.
  get points() {
    const [x] = this.inputs, y = this.targets, end = this.trainingRows;
    const test = this.testLosses && { x: x.subarray(end), y: y.subarray(end) };
    return { x: x.subarray(0, end), y: y.subarray(0, end), test };
  }

  classOf(place, row) {
    return this.predicted[place * this.targets.length + row];
  }

  isWrong(place, row) {
    return this.classOf(place, row) !== this.targets[row];
  }

  isTest(row) {
    return row >= this.trainingRows;
  }

  hue(place) {
    return this.hues[place % this.hues.length];
  }
}
