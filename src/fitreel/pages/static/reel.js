// The reel: the predictions of each frame on a grid or on rows, of any model.

const STEPS = 65535; // of a quantised number

class Reel {
  constructor(data) {
    for (const name of ["kind", "features", "target", "classes", "grid", "low", "high", "levels"]) this[name] = data[name];
    this.hues = data.colours;
    this.xRange = data.x_range;
    this.yRange = data.y_range;
    this.losses = decoded(data.losses, Float32Array);
    this.frameEpochs = decoded(data.frame_epochs, Int32Array);
    this.frameLosses = decoded(data.frame_losses, Float32Array);
    this.testLosses = data.test_losses && decoded(data.test_losses, Float32Array);
    this.targets = decoded(data.targets, Float32Array); // numbers, or places of classes
    this.inputs = data.inputs.map((each) => decoded(each, Float32Array));
    this.trainingRows = data.training_rows; // of those shown; the others are test rows
    this.values = decoded(data.values, Uint16Array);
    this.predicted = data.predicted && decoded(data.predicted, Uint8Array); // classes of the rows
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
