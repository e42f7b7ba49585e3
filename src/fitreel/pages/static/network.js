// The network: what one hidden layer computes, from the numbers of each frame.

function decoded(text, kind) {
  return new kind(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

// Abramowitz and Stegun 7.1.26: wrong by 1.5e-7 at most.
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}

const ACTIVATIONS = {
  relu: (x) => Math.max(0, x),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  gelu: (x) => (x * (1 + erf(x / Math.SQRT2))) / 2,
};

class Frame {
  constructor(numbers, hidden, activation) {
    this.inputWeight = numbers.subarray(0, hidden);
    this.bias = numbers.subarray(hidden, 2 * hidden);
    this.outputWeight = numbers.subarray(2 * hidden, 3 * hidden);
    this.outputBias = numbers[3 * hidden];
    this.activate = ACTIVATIONS[activation];
  }

  contribution(neuron, x) {
    return this.outputWeight[neuron] * this.activate(this.inputWeight[neuron] * x + this.bias[neuron]);
  }

  predict(x) {
    let sum = this.outputBias;
    for (let neuron = 0; neuron < this.bias.length; neuron++) sum += this.contribution(neuron, x);
    return sum;
  }

  kink(neuron) {
    return -this.bias[neuron] / this.inputWeight[neuron];
  }

  // A line's input is highest at an end: where both ends are silent, every point is.
  isDead(neuron, [left, right]) {
    const input = (x) => this.inputWeight[neuron] * x + this.bias[neuron];
    return this.activate === ACTIVATIONS.relu && input(left) <= 0 && input(right) <= 0;
  }
}

class Training {
  constructor(data) {
    this.activation = data.activation;
    this.hidden = data.hidden;
    this.losses = decoded(data.losses, Float32Array);
    this.frameEpochs = decoded(data.frame_epochs, Int32Array);
    this.frameLosses = decoded(data.frame_losses, Float32Array);
    this.testLosses = data.test_losses ? decoded(data.test_losses, Float32Array) : null;
    const numbers = decoded(data.weights, Float32Array);
    const size = 3 * data.hidden + 1;
    this.frames = Array.from(this.frameEpochs, (_, place) =>
      new Frame(numbers.subarray(place * size, (place + 1) * size), data.hidden, data.activation));
  }

  get hasKinks() {
    return this.activation === "relu";
  }

  // The last frame at or before an epoch.
  frameAt(epoch) {
    return Math.max(0, lastAtMost(this.frameEpochs, epoch));
  }

  isDead(place, neuron, range) {
    return this.frames[place].isDead(neuron, range);
  }
}

// The place of the last value that is not above a limit, in rising values; -1 if all are above it.
function lastAtMost(values, limit) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// The place of the value that is nearest to the wanted one, in rising values.
function nearest(values, wanted) {
  const before = Math.max(0, lastAtMost(values, wanted)), after = Math.min(before + 1, values.length - 1);
  return wanted - values[before] <= values[after] - wanted ? before : after;
}

class Dataset {
  constructor(data) {
    this.x = decoded(data.x, Float32Array);
    this.y = decoded(data.y, Float32Array);
    this.test = data.test && { x: decoded(data.test.x, Float32Array), y: decoded(data.test.y, Float32Array) };
    this.feature = data.feature;
    this.target = data.target;
    this.count = data.count;
    this.xRange = data.x_range;
    this.yRange = data.y_range;
  }
}
