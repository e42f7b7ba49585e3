// The page of one training: its data, its settings, and which neuron is picked.

const data = JSON.parse(byId("data").textContent);
const dataset = new Dataset(data.dataset);
const training = new Training(data.training);
const epochs = decoded(data.epochs, Float64Array);
const stepName = "epoch"; // of any model, a step
const xAxis = padded(dataset.xRange, 0.04);
const lineX = evenly(dataset.xRange, LINE_POINTS);
const views = []; // the panels: each is a function that shows the present frame
let frame, place, picked = null;
let other = null; // another training on the same points: what if

readColours();
document.body.classList.toggle("relu", training.hasKinks);
document.body.classList.toggle("tested", training.testLosses !== null);
document.title = `${data.name || "training"} · fitreel`;
byId("title").textContent = data.name || "Training";
byId("facts").textContent = facts(data.settings).join(" · ");

const DISTANCES = "distances, measured upwards, from the points to the red line";
const LOSSES = {
  "mean squared error": `The mean of the squared ${DISTANCES}.`,
  "mean absolute error": `The mean of the ${DISTANCES}.`,
  "Huber loss": `A mean of the ${DISTANCES}: of short ones the square counts, of long ones the length.`,
};
byId("meaning-of-loss").textContent = LOSSES[data.loss_name];

// What the network is and how it was trained, as far as it is known.
function facts({ optimizer, lr, seed, function: curve, noise, data_seed: dataSeed }) {
  const points = dataset.count === dataset.x.length ? counted(dataset.count, "point")
    : `${dataset.x.length.toLocaleString("en")} of ${counted(dataset.count, "point")} shown`;
  return [
    `${training.activation}, ${counted(training.hidden, "hidden neuron")}`,
    ...(optimizer ? [`${optimizer}, lr ${short(lr)}`, `seed ${seed}`] : []),
    counted(data.training.epoch_count, "epoch"),
    curve ? `${points}: ${curve}, noise ${short(noise)}, data seed ${dataSeed}` : points,
  ];
}

const sign = (neuron) =>
  training.isDead(place, neuron, dataset.xRange) ? "dead" : frame.outputWeight[neuron] < 0 ? "negative" : "positive";

const isInside = (x) => x >= dataset.xRange[0] && x <= dataset.xRange[1];

const epochText = (at) => training.frameEpochs[at].toLocaleString("en");

function pick(neuron) {
  picked = neuron;
  document.body.classList.toggle("picked", picked !== null);
  show(place);
}

function show(at) {
  place = at;
  frame = training.frames[place];
  for (const view of views) view();
}
