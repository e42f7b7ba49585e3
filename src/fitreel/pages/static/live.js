// The page of a training that runs: its news, and its controls.

const SURE = 3000; // milliseconds in which a second press stops the training
const PHASES = { waiting: "waiting for the training to start", ended: "the training has ended", stopped: "the training was stopped", finished: "finished" };

let training = null, transport = null, view = null, frame;
let curves = new Map(), steps = null, state = { phase: "connecting", paused: false, pace: 0, note: "", resume: "" };
let isDue = false, isLost = false;

readColours();

function begin(start) {
  training = new GrowingReel(start);
  curves = new Map();
  lossChart = view = null;
  frame = undefined;
  steps = start.steps;
  byId("title").textContent = start.name || "Training";
  document.title = `${start.name || "training"} · fitreel`;
  byId("facts").textContent = [counted(start.count, "training row"), ...(start.test_count ? [counted(start.test_count, "test row")] : [])].join(" · ");
  byId("kind").textContent = { curve: "Fit", field: "Field", regions: "Regions", agreement: "Predicted against actual", confidence: "Probability of the true class" }[training.kind];
  view = makeView(document.querySelector("#fit .chart"), training, { size: 1.1 });
  view.chart.hooks.setCursor = [showReading];
  makeLegend(byId("legend-of-view"), training);
  showReading();
}

const showReading = () => byId("fit-reading").replaceChildren(...(frame === undefined ? [] : readView(view, training)));

function show(at) {
  if (at < 0 || !training?.frames.length) return;
  frame = at;
  view.show(at);
  showReading();
  lossChart?.redraw(false);
  byId("moment").replaceChildren("step ", bold(training.frameEpochs[at].toLocaleString("en")), "  loss ", bold(lossText(training.frameLosses[at])));
  byId("scrub").setAttribute("aria-valuetext", `step ${training.frameEpochs[at].toLocaleString("en")}`);
}

// Follow the newest frame, unless somebody went back to an earlier one.
function grow(frames) {
  const isAtEnd = !transport || transport.place >= transport.last;
  const here = training.frameEpochs[transport?.place];
  for (const each of frames) training.add(each);
  transport ??= new Transport(0, show);
  transport.last = training.frames.length - 1;
  byId("scrub").max = transport.last;
  if (transport.playing) transport.place = Math.max(0, lastAtMost(training.frameEpochs, here));
  else transport.move(isAtEnd ? transport.last : lastAtMost(training.frameEpochs, here));
}

function showState() {
  const { phase, paused, pace, note, resume } = state, last = curves.get("loss")?.steps.at(-1);
  const isRunning = phase === "training" && !isLost;
  const where = last === undefined ? [] : ["step ", bold(last.toLocaleString("en")), ...(steps ? [` of ${steps.toLocaleString("en")}`] : [])];
  for (const id of ["pause", "slower", "faster", "stop"]) byId(id).disabled = !isRunning;
  byId("pause").textContent = paused ? "Continue" : "Pause";
  const parts = isLost ? ["the connection is lost; trying again …"]
    : phase !== "training" ? [note && phase === "stopped" ? "no longer watched" : PHASES[phase] ?? phase, ...(where.length ? [" at ", ...where] : [])]
    : [paused ? "paused at " : "training, ", ...where, ` · ${pace ? `${short(pace)} s a frame` : "full speed"}`];
  if (note && isRunning) parts.push(` · ${note}`);
  if (resume) parts.push(" · continue with ", element("kbd", {}, resume));
  byId("state").replaceChildren(...parts);
  document.body.dataset.phase = isLost ? "lost" : phase;
}

function redraw() {
  isDue = false;
  drawLosses();
  showState();
}

function take({ start, points, frames, state: news }) {
  if (start) begin(start);
  for (const [name, more] of Object.entries(points ?? {})) {
    if (!curves.has(name)) curves.set(name, new Curve());
    curves.get(name).add(more);
  }
  if (frames) grow(frames);
  if (news) state = news;
  if (news?.phase === "finished") return showPlayer();
  if (["ended", "stopped"].includes(news?.phase)) leave();
  // A page that is not seen draws nothing, and is shown as it is then.
  if (!isDue) requestAnimationFrame(redraw);
  isDue = true;
}

byId("pause").addEventListener("click", () => ask(state.paused ? "resume" : "pause"));
byId("slower").addEventListener("click", () => ask("slower"));
byId("faster").addEventListener("click", () => ask("faster"));

let sureUntil = 0;
byId("stop").addEventListener("click", () => {
  if (performance.now() < sureUntil) return ask("stop");
  sureUntil = performance.now() + SURE;
  byId("stop").textContent = "Press again to stop";
  setTimeout(() => (byId("stop").textContent = "Stop"), SURE);
});
