// What if: the training with other settings, in the page, and how it compares with the run.

// Not in a worker: the page's policy admits no script from blob: or data:, and there is no other
// way to start one from a single file. In short slices the page answers in between.
const SLICE = 12; // milliseconds

const hasAllPoints = dataset.count === dataset.x.length;
let attempts = 0; // trainings that were started or stopped

// Done when the page has answered what was waiting.
const channel = new MessageChannel();
const later = () => new Promise((resume) => {
  channel.port1.onmessage = resume;
  channel.port2.postMessage(null);
});

// Return what a generator returns, run in slices; null if a later attempt has started.
async function inSlices(steps, report) {
  const attempt = ++attempts;
  for (;;) {
    const end = performance.now() + SLICE;
    do {
      const { done, value } = steps.next();
      if (done) return value;
      report(value);
    } while (performance.now() < end);
    await later();
    if (attempt !== attempts) return null;
  }
}

async function trainAgain() {
  const last = epochs[epochs.length - 1].toLocaleString("en");
  let saidAt = performance.now(); // a short training needs no word
  const result = await inSlices(retrain(dataset, chosen, epochs, training.frameEpochs), (epoch) => {
    if (performance.now() < saidAt + 200) return;
    saidAt = performance.now();
    byId("outcome").textContent = `Training: epoch ${epoch.toLocaleString("en")} of ${last}.`;
  });
  if (result) showOther(result);
}

// Show another training, or none, in the charts and in words.
function showOther(result) {
  other = result;
  document.body.classList.toggle("other", other !== null);
  byId("outcome").replaceChildren(...(other ? outcome() : [invitation()]));
  makeLoss();
  show(place);
}

function invitation() {
  return hasAllPoints ? "Change a setting: the network trains again in this page, on the same points."
    : "This page lacks some of the points, so it cannot train on them. The command can.";
}

function outcome() {
  const { diverged, settings: { activation, hidden } } = other;
  if (diverged !== null) {
    return ["It diverges: at epoch ", bold(diverged.toLocaleString("en")), " the loss is no longer a finite number. Try a lower rate."];
  }
  const [ours, theirs] = [training, other].map(({ losses }) => losses[losses.length - 1]);
  const last = epochs[epochs.length - 1], isWhole = last >= data.settings.epochs - 1;
  const parts = [isWhole ? "Final loss " : `Loss at epoch ${last.toLocaleString("en")}, with which the run ends, `, bold(lossText(theirs)),
    ...(isOfThesePoints() ? [", ", compared(theirs / ours), " the run’s ", bold(lossText(ours)), "."]
      : [". The run was trained on other points: its losses cannot be compared."])];
  if (activation === "relu") parts.push(" Dead neurons: ", bold(deadNeurons(other.frames)), ` of ${hidden}.`);
  return parts;
}

const CLOSE = 1e-3; // as a share of a loss: the page computes in another precision

// Whether the run's losses are those of these points, which may have changed since.
function isOfThesePoints() {
  const { x, y } = dataset, [first] = training.frames, [loss] = training.frameLosses;
  const mean = x.reduce((sum, each, at) => sum + (first.predict(each) - y[at]) ** 2, 0) / x.length;
  return Math.abs(mean - loss) <= CLOSE * loss;
}

// A loss in words, by its ratio to the run's.
function compared(ratio) {
  const percent = Math.round(Math.abs(ratio - 1) * 100);
  if (percent === 0) return "as low as";
  if (ratio >= 2) return `${short(ratio, 2)} times`;
  return `${percent} % ${ratio > 1 ? "higher" : "lower"} than`;
}

function deadNeurons(frames) {
  const last = frames[frames.length - 1];
  return last.bias.reduce((count, _, neuron) => count + last.isDead(neuron, dataset.xRange), 0);
}

views.push(() => {
  const theirs = other?.frameLosses[place];
  byId("whatif-reading").replaceChildren(...(theirs === undefined ? []
    : ["loss ", bold(lossText(theirs)), ", the run’s ", bold(lossText(training.frameLosses[place]))]));
});
