// The page of one training on a table: its view, its losses and its facts.

const data = JSON.parse(byId("data").textContent);
const training = new Reel(data.reel);
const epochs = decoded(data.epochs, Float64Array);
const stepName = data.step_name ?? "epoch";
const views = []; // the panels: each is a function that shows the present frame
const other = null; // no "what if" on tables
let frame, place;

readColours();
document.body.classList.toggle("tested", training.testLosses !== null);
document.title = `${data.name || "training"} · fitreel`;
byId("title").textContent = data.name || "Training";
byId("facts").textContent = facts(data.settings, data.reel).join(" · ");
byId("kind").textContent = { curve: "Fit", field: "Field", regions: "Regions", agreement: "Predicted against actual", confidence: "Probability of the true class" }[training.kind];

// What the network is and how it was trained, as far as it is known.
function facts({ optimizer, lr, seed }, { count, test_count: tested, training_rows: shown }) {
  const some = shown < count ? `${shown.toLocaleString("en")} of ` : "";
  const isOurs = data.activation !== undefined; // else of any model, of which its rows are known
  return [
    ...(isOurs ? [`${data.activation}, ${counted(data.hidden, "hidden neuron")}`] : []),
    ...(optimizer ? [`${optimizer}, lr ${short(lr)}`, `seed ${seed}`] : []),
    ...(isOurs ? [counted(data.reel.epoch_count, stepName)] : stepFacts(data.reel.epoch_count)),
    counted(data.features, "feature"),
    `${some}${counted(count, "training row")}${some && " shown"}`,
    ...(tested ? [counted(tested, "test row")] : []),
  ];
}

// The steps whose losses are known, and the frames that are shown.
function stepFacts(count) {
  const first = epochs[0], last = epochs[epochs.length - 1], frames = training.frameEpochs.length;
  const areAll = last - first === count - 1;
  return [
    `${counted(count, stepName)}${count > 1 && (first || !areAll) ? `, ${first.toLocaleString("en")} to ${last.toLocaleString("en")}` : ""}`,
    frames < data.frame_count ? `${frames.toLocaleString("en")} of ${counted(data.frame_count, "frame")} shown` : counted(frames, "frame"),
  ];
}

const view = makeView(document.querySelector("#fit .chart"), training, { size: 1.1 });
makeLegend(byId("legend-of-view"), training);

const showReading = () => byId("fit-reading").replaceChildren(...readView(view, training));
view.chart.hooks.setCursor = [showReading];

function show(at) {
  place = frame = at;
  view.show(at);
  showReading();
  for (const each of views) each();
  byId("moment").replaceChildren(`${stepName} `, bold(training.frameEpochs[at].toLocaleString("en")), ...lossParts(training, at));
  byId("scrub").setAttribute("aria-valuetext", `${stepName} ${training.frameEpochs[at].toLocaleString("en")}`);
}
