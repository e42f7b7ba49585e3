// The training: loss, gradient and update rules of the run, in float32 as there.

// The derivative of each activation, from what goes into it and what comes out of it.
const SLOPES = {
  relu: (before) => (before > 0 ? 1 : 0),
  tanh: (before, active) => 1 - active * active,
  sigmoid: (before, active) => active * (1 - active),
  gelu: (before) => (1 + erf(before / Math.SQRT2)) / 2 + (before * Math.exp((-before * before) / 2)) / Math.sqrt(2 * Math.PI),
};

// Each makes a function that moves numbers along their gradient, in place, and keeps its memory.
const OPTIMIZERS = {
  sgd: (lr) => (numbers, gradient) => {
    for (let at = 0; at < numbers.length; at++) numbers[at] -= fround(lr * gradient[at]);
  },
  momentum: (lr, count) => {
    const velocity = new Float32Array(count);
    return (numbers, gradient) => {
      for (let at = 0; at < count; at++) {
        velocity[at] = fround(0.9 * velocity[at]) + gradient[at];
        numbers[at] -= fround(lr * velocity[at]);
      }
    };
  },
  adam: (lr, count) => {
    const first = new Float32Array(count), second = new Float32Array(count);
    let updates = 0;
    return (numbers, gradient) => {
      updates++;
      const rate = lr / (1 - 0.9 ** updates), scale = Math.sqrt(1 - 0.999 ** updates);
      for (let at = 0; at < count; at++) {
        first[at] += fround(0.1 * fround(gradient[at] - first[at]));
        second[at] = fround(0.999 * second[at]) + 0.001 * fround(gradient[at] * gradient[at]);
        numbers[at] -= rate * fround(first[at] / fround(fround(fround(Math.sqrt(second[at])) / scale) + 1e-8));
      }
    };
  },
};

class Trainer {
  constructor({ x, y }, { hidden, activation, optimizer, lr, seed }) {
    Object.assign(this, { x, y, hidden, activation });
    this.numbers = initialWeights(hidden, seed);
    this.gradient = new Float32Array(this.numbers.length);
    this.move = OPTIMIZERS[optimizer](lr, this.numbers.length);
    this.active = new Float32Array(hidden * x.length); // a row a neuron
  }

  // Return the loss of the present numbers, and compute their gradient. Each number is rounded to
  // float32; sums are in float64, because torch's order of adding up, in parts, loses less, too.
  loss() {
    const { x, y } = this, error = this.predict();
    let sum = 0, slope = 0;
    for (let point = 0; point < x.length; point++) {
      const off = fround(fround(error[point]) - y[point]);
      sum += fround(off * off);
      error[point] = fround(fround(2 / x.length) * off); // the slope of the loss by the prediction
      slope += error[point];
    }
    this.gradient[3 * this.hidden] = slope;
    for (let neuron = 0; neuron < this.hidden; neuron++) this.backward(neuron, error);
    return fround(fround(sum) / x.length); // overflows where the sum does, as in torch
  }

  predict() {
    const { x, hidden, numbers, active } = this, activate = ACTIVATIONS[this.activation];
    const sums = new Float64Array(x.length).fill(numbers[3 * hidden]);
    for (let neuron = 0, at = 0; neuron < hidden; neuron++) {
      const weight = numbers[neuron], bias = numbers[hidden + neuron], output = numbers[2 * hidden + neuron];
      for (let point = 0; point < x.length; point++, at++) {
        active[at] = activate(fround(fround(weight * x[point]) + bias));
        sums[point] += fround(output * active[at]);
      }
    }
    return sums;
  }

  backward(neuron, error) {
    const { x, hidden, numbers, active, gradient } = this, slopeOf = SLOPES[this.activation];
    const weight = numbers[neuron], bias = numbers[hidden + neuron], output = numbers[2 * hidden + neuron];
    let byWeight = 0, byBias = 0, byOutput = 0;
    for (let point = 0, at = neuron * x.length; point < x.length; point++, at++) {
      const slope = fround(slopeOf(fround(fround(weight * x[point]) + bias), active[at]));
      const inner = fround(fround(error[point] * output) * slope);
      byWeight += fround(inner * x[point]);
      byBias += inner;
      byOutput += fround(error[point] * active[at]);
    }
    gradient[neuron] = byWeight;
    gradient[hidden + neuron] = byBias;
    gradient[2 * hidden + neuron] = byOutput;
  }

  update() {
    this.move(this.numbers, this.gradient);
  }
}

// Train up to the last of these epochs, and keep the losses and the frames of those; yield once an
// epoch. A training whose loss is no longer finite ends there.
function* retrain(dataset, settings, lossEpochs, frameEpochs) {
  const trainer = new Trainer(dataset, settings), { hidden, activation } = settings;
  const last = Math.max(lossEpochs[lossEpochs.length - 1], frameEpochs[frameEpochs.length - 1]);
  const losses = [], frames = [], frameLosses = [];
  for (let epoch = 0; ; epoch++) {
    const loss = trainer.loss();
    if (!Number.isFinite(loss)) return { settings, losses, frames, frameLosses, diverged: epoch };
    if (lossEpochs[losses.length] === epoch) losses.push(loss);
    if (frameEpochs[frames.length] === epoch) {
      frames.push(new Frame(trainer.numbers.slice(), hidden, activation));
      frameLosses.push(loss);
    }
    if (epoch === last) return { settings, losses, frames, frameLosses, diverged: null };
    trainer.update();
    yield epoch;
  }
}
