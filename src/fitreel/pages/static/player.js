// The page of one training: the fit, what each neuron adds, the loss curve, in step.

const data = JSON.parse(byId("data").textContent);
const dataset = new Dataset(data.dataset);
const training = new Training(data.training);
const epochs = decoded(data.epochs, Int32Array);
const xAxis = padded(dataset.xRange, 0.04);
const lineX = evenly(dataset.xRange, LINE_POINTS);
const MOST_CHIPS = 1024;
const NEAR = 14; // pixels from a line within which a click picks its neuron
let frame, place, picked = null, pointedX = null;

document.body.classList.toggle("relu", training.hasKinks);
document.title = `${data.name || "training"} · fitreel`;
byId("title").textContent = data.name || "Training";
byId("facts").textContent = [
  `${training.activation}, ${counted(training.hidden, "hidden neuron")}`,
  counted(data.training.epoch_count, "epoch"),
  dataset.count === dataset.x.length ? counted(dataset.count, "point")
    : `${dataset.x.length.toLocaleString("en")} of ${counted(dataset.count, "point")} shown`,
].join(" · ");

const sign = (neuron) =>
  training.isDead(place, neuron, dataset.xRange) ? "dead" : frame.outputWeight[neuron] < 0 ? "negative" : "positive";

// ---- the fit

readColours();
const fit = makeChart(document.querySelector("#fit .chart"), {
  x: xAxis,
  y: padded(dataset.yRange, 0.2, 0.1),
  data: [lineX, lineX.map(() => NaN), lineX.map(() => NaN)],
  series: [
    { stroke: () => colours.line, width: 3 },
    { stroke: () => colours.ink, width: 1.5, dash: [6, 4], show: false },
  ],
  bands: [{ series: [1, 2], fill: () => pickedFill() }, { series: [2, 1], fill: () => pickedFill() }],
  sync: "x",
  hooks: {
    drawAxes: (chart) => drawPoints(chart, dataset, 1.15),
    draw: (chart) => {
      if (picked !== null && training.hasKinks) drawVertical(chart, frame.kink(picked), colours.ink, [2, 4]);
    },
  },
});

function pickedFill() {
  return picked === null ? "transparent" : `${colours[sign(picked)]}40`;
}

function predictions() {
  return lineX.map((x) => frame.predict(x));
}

// ---- what each neuron adds

// The wider the network, the fewer points of each curve: all of them are drawn at every frame.
const curveX = training.hasKinks ? null : evenly(dataset.xRange, Math.min(120, Math.max(12, Math.round(60000 / training.hidden))));

// Where a neuron's line has its corners: a relu neuron has them at the ends and at its kink.
function corners(neuron) {
  if (!training.hasKinks) return curveX;
  const [from, to] = dataset.xRange, kink = frame.kink(neuron);
  return kink > from && kink < to ? [from, kink, to] : [from, to];
}

// Over all frames, so that the axis stays while the film plays.
function contributionRange() {
  let low = 0, high = 0;
  for (const each of training.frames) {
    for (let neuron = 0; neuron < training.hidden; neuron++) {
      for (const x of curveX ?? dataset.xRange) {
        const value = each.contribution(neuron, x);
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
  }
  return padded([low, high], 0.12, 0.08);
}

const contributions = makeChart(document.querySelector("#contributions .chart"), {
  x: xAxis,
  y: contributionRange(),
  data: [lineX, lineX.map(() => NaN)],
  series: [{ stroke: () => colours.ink, width: 3.5 }],
  sync: "x",
  hooks: { drawAxes: drawContributions, draw: drawKinks },
});

// In a hook, not as series: uPlot would need the same x for all lines, and has no ticks at kinks.
function drawContributions(chart) {
  if (!frame) return;
  drawing(chart, (ctx, left, top, ratio) => {
    ctx.globalAlpha = Math.max(0.25, Math.min(0.9, 25 / training.hidden));
    ctx.lineWidth = 1.3 * ratio;
    for (let neuron = 0; neuron < training.hidden; neuron++) {
      const kind = sign(neuron);
      ctx.strokeStyle = colours[kind];
      ctx.setLineDash(kind === "dead" ? [4 * ratio, 4 * ratio] : []);
      ctx.beginPath();
      for (const x of corners(neuron)) ctx.lineTo(left(x), top(frame.contribution(neuron, x)));
      ctx.stroke();
    }
  });
}

function drawKinks(chart) {
  if (!frame || !training.hasKinks) return;
  drawing(chart, (ctx, left, top, ratio) => {
    const bottom = chart.bbox.top + chart.bbox.height;
    for (let neuron = 0; neuron < training.hidden; neuron++) {
      const x = left(frame.kink(neuron));
      if (!Number.isFinite(x)) continue;
      const isPicked = neuron === picked;
      ctx.strokeStyle = isPicked ? colours.ink : colours[sign(neuron)];
      ctx.lineWidth = (isPicked ? 3 : 2) * ratio;
      ctx.beginPath();
      ctx.moveTo(x, bottom);
      ctx.lineTo(x, bottom - (isPicked ? 18 : 11) * ratio);
      ctx.stroke();
    }
  });
  if (picked !== null) drawVertical(chart, frame.kink(picked), colours.ink, [2, 4]);
}

contributions.over.addEventListener("click", (event) => {
  const box = contributions.over.getBoundingClientRect();
  const x = contributions.posToVal(event.clientX - box.left, "x");
  const y = event.clientY - box.top;
  let found = null, least = NEAR;
  for (let neuron = 0; neuron < training.hidden; neuron++) {
    const distance = Math.abs(contributions.valToPos(frame.contribution(neuron, x), "y") - y);
    if (distance < least) [found, least] = [neuron, distance];
  }
  pick(found === picked ? null : found);
});

// ---- the loss

let loss;

function makeLoss() {
  const log = byId("log").checked;
  const values = Array.from(training.losses, (value) => (log && value <= 0 ? null : value));
  const floor = data.noise_floor;
  loss = makeChart(document.querySelector("#loss .chart"), {
    x: padded([0, epochs[epochs.length - 1]], 0.01), // the dot is whole at both ends
    y: lossRange(floor ? [values, [floor]] : [values], log),
    log,
    data: [epochs, values],
    series: [{ stroke: () => colours.points, width: 2, points: { show: values.length === 1 } }],
    hooks: {
      drawAxes: drawDeadEpochs,
      draw: (chart) => {
        if (floor) drawHorizontal(chart, floor, `noise floor ${short(floor, 3)}`, colours.floor);
        if (!frame) return;
        drawVertical(chart, training.frameEpochs[place], colours.line);
        drawing(chart, (ctx, left, top, ratio) => {
          ctx.fillStyle = colours.line;
          ctx.beginPath();
          ctx.arc(left(training.frameEpochs[place]), top(training.frameLosses[place]), 5 * ratio, 0, 2 * Math.PI);
          ctx.fill();
        });
      },
    },
  });
  onScrub(loss, (epoch) => transport.go(nearest(training.frameEpochs, epoch)));
  onPointer(loss, (epoch) => {
    const near = epoch === null ? -1 : lastAtMost(epochs, Math.max(0, epoch));
    byId("loss-reading").replaceChildren(...(near < 0 ? ["press to jump"]
      : ["epoch ", bold(epochs[near].toLocaleString("en")), "  loss ", bold(lossText(training.losses[near]))]));
  });
}

// While the picked neuron is dead, the curve's background is grey.
function drawDeadEpochs(chart) {
  if (picked === null) return;
  drawing(chart, (ctx, left) => {
    ctx.fillStyle = `${colours.dead}40`;
    training.frameEpochs.forEach((epoch, at) => {
      if (!training.isDead(at, picked, dataset.xRange)) return;
      const next = training.frameEpochs[at + 1] ?? epoch;
      ctx.fillRect(left(epoch), chart.bbox.top, left(next) - left(epoch), chart.bbox.height);
    });
  });
}

// ---- the neurons

const chips = [];
for (let neuron = 0; neuron < Math.min(training.hidden, MOST_CHIPS); neuron++) {
  const chip = element("button", { type: "button", textContent: neuron });
  chip.setAttribute("aria-pressed", "false");
  chip.addEventListener("click", () => pick(neuron === picked ? null : neuron));
  chips.push(chip);
}
byId("chips").append(...chips);

function pick(neuron) {
  picked = neuron;
  fit.setSeries(2, { show: neuron !== null });
  show(place);
}

function showNeurons() {
  let dead = 0;
  for (let neuron = 0; neuron < training.hidden; neuron++) {
    const kind = sign(neuron);
    if (kind === "dead") dead++;
    const chip = chips[neuron];
    if (!chip) continue;
    if (chip.className !== kind) {
      chip.className = kind;
      chip.setAttribute("aria-label", kind === "dead" ? `neuron ${neuron}, dead` : `neuron ${neuron}`);
    }
    const pressed = String(neuron === picked);
    if (chip.ariaPressed !== pressed) chip.ariaPressed = pressed;
  }
  byId("dead").replaceChildren(...(training.hasKinks ? [bold(dead), ` of ${training.hidden} dead`] : [counted(training.hidden, "neuron")]));
  const parts = [];
  if (picked === null) {
    parts.push("Pick a neuron here or in the chart to light it up. ", "Output bias ", bold(short(frame.outputBias)));
  } else {
    const numbers = { "input weight": frame.inputWeight[picked], bias: frame.bias[picked], "output weight": frame.outputWeight[picked] };
    if (training.hasKinks) numbers["kink at x"] = frame.kink(picked);
    parts.push("Neuron ", bold(picked));
    for (const [name, value] of Object.entries(numbers)) parts.push(` · ${name} `, bold(Number.isFinite(value) ? short(value) : "none"));
    if (sign(picked) === "dead") parts.push(" · dead");
  }
  byId("picked").replaceChildren(...parts);
}

// ---- the reading under the mouse

const dot = element("div", { className: "u-cursor-pt" });
fit.over.append(dot);

function showFit() {
  const x = pointedX === null ? null : shownX(pointedX, dataset.xRange);
  dot.hidden = x === null;
  if (x === null) {
    byId("fit-reading").replaceChildren(NO_READING);
    byId("contributions-reading").replaceChildren(picked === null ? "" : `neuron ${picked}`);
    return;
  }
  const y = frame.predict(x);
  byId("fit-reading").replaceChildren("x ", bold(withMinus(String(x))), "  predicted y ", bold(precise(y)));
  const added = picked === null ? [] : [`neuron ${picked} adds `, bold(precise(frame.contribution(picked, x)))];
  byId("contributions-reading").replaceChildren(...added);
  const left = fit.valToPos(x, "x"), top = fit.valToPos(y, "y");
  Object.assign(dot.style, { background: colours.line, width: "9px", height: "9px", transform: `translate(${left}px, ${top}px) translate(-50%, -50%)` });
}

for (const chart of [fit, contributions]) {
  onPointer(chart, (x) => {
    pointedX = x;
    if (frame) showFit();
  });
}

// ---- all of it, at a frame

function show(at) {
  place = at;
  frame = training.frames[place];
  const line = predictions();
  const without = picked === null ? line.map(() => NaN) : line.map((y, i) => y - frame.contribution(picked, lineX[i]));
  fit.setData([lineX, line, without]);
  contributions.setData([lineX, picked === null ? without : lineX.map((x) => frame.contribution(picked, x))]);
  loss.redraw(false);
  showNeurons();
  showFit();
  const epoch = training.frameEpochs[place].toLocaleString("en");
  byId("moment").replaceChildren("epoch ", bold(epoch), "  loss ", bold(lossText(training.frameLosses[place])));
  byId("scrub").setAttribute("aria-valuetext", `epoch ${epoch}`);
}

const transport = new Transport(training.frames.length, show);
byId("log").addEventListener("change", makeLoss);
makeLoss();
byId("loss-reading").textContent = "press to jump";
transport.move(transport.last);
