// The running sum: the output bias, and neurons added one by one, the largest first.

const MOST_LINES = 40; // earlier sums that are drawn
const MOST_ROWS = 100;
const MOST_PRODUCTS = 500_000; // for the loss of a sum: a few milliseconds
const SECONDS = 8; // for all neurons, one by one
const sumX = evenly(dataset.xRange, Math.min(LINE_POINTS, Math.max(40, Math.round(60000 / training.hidden))));
let added = training.hidden, adding = null; // how many neurons the line has; the timer that adds more

// The neurons of a frame by size, the largest first, and the line at sumX after 0, 1, 2, … of them.
function addedUp(of) {
  const parts = Array.from({ length: training.hidden }, (_, neuron) => sumX.map((x) => of.contribution(neuron, x)));
  const sizes = parts.map((part) => part.reduce((total, value) => total + Math.abs(value), 0) / sumX.length);
  const order = [...sizes.keys()].sort((one, other) => sizes[other] - sizes[one]);
  const sums = [sumX.map(() => of.outputBias)];
  for (const neuron of order) {
    const before = sums[sums.length - 1];
    sums.push(before.map((y, at) => y + parts[neuron][at]));
  }
  return { order, sizes, sums };
}

let { order, sizes, sums } = addedUp(training.frames[training.frames.length - 1]);

// Room for all sums of the trained network, but the points keep a third of the height.
function sumRange() {
  const [low, high] = dataset.yRange, size = high - low || 1, values = sums.flatMap((sum) => [...sum]);
  const lowest = values.reduce((one, other) => Math.min(one, other), low);
  const highest = values.reduce((one, other) => Math.max(one, other), high);
  return padded([Math.max(lowest, low - size), Math.min(highest, high + size)], 0.1);
}

const sumChart = makeChart(document.querySelector("#sum .chart"), {
  x: xAxis,
  y: sumRange(),
  data: [sumX, sumX.map(() => NaN), sumX.map(() => NaN)],
  series: [{ stroke: () => colours.line, width: 3 }, { stroke: "transparent", width: 0 }],
  bands: [{ series: [1, 2], fill: lastFill }, { series: [2, 1], fill: lastFill }],
  hooks: { drawAxes: (chart) => { drawPoints(chart, dataset, 0.9); drawSums(chart); } },
});

const lastColour = () => (added ? colours[sign(order[added - 1])] : "transparent");

function lastFill() {
  return frame && added ? `${lastColour()}40` : "transparent";
}

// The sums before this one, thinned, each in the colour of the neuron that it ends with.
function drawSums(chart) {
  if (!frame) return;
  const step = Math.max(1, Math.ceil(added / MOST_LINES));
  drawing(chart, (ctx, left, top, ratio) => {
    ctx.lineWidth = ratio;
    ctx.globalAlpha = 0.55;
    for (let count = 0; count < added; count += step) {
      ctx.strokeStyle = count ? colours[sign(order[count - 1])] : colours.soft;
      ctx.setLineDash(count ? [] : [2 * ratio, 3 * ratio]);
      ctx.beginPath();
      sumX.forEach((x, at) => ctx.lineTo(left(x), top(sums[count][at])));
      ctx.stroke();
    }
  });
}

// The loss of the network if it had only these neurons; null if the page lacks points, or it takes long.
function partialLoss() {
  if (added === training.hidden) return training.frameLosses[place];
  const { x, y, count } = dataset, kept = order.slice(0, added);
  if (count !== x.length || count * added > MOST_PRODUCTS) return null;
  const total = x.reduce((sum, each, at) => {
    const line = kept.reduce((value, neuron) => value + frame.contribution(neuron, each), frame.outputBias);
    return sum + (line - y[at]) ** 2;
  }, 0);
  return total / count;
}

const rows = Array.from({ length: Math.min(training.hidden, MOST_ROWS) }, (_, at) => {
  const parts = { name: element("span"), bar: element("i"), formula: element("span", { className: "formula" }) };
  const button = element("button", { type: "button" }, parts.name, element("span", { className: "track" }, parts.bar), parts.formula);
  button.addEventListener("click", () => addTo(at + 1));
  byId("order").append(element("li", {}, button));
  return { button, ...parts };
});
if (training.hidden > MOST_ROWS) {
  byId("order").append(element("li", { className: "soft" }, `and ${(training.hidden - MOST_ROWS).toLocaleString("en")} smaller ones`));
}

function showRows() {
  rows.forEach(({ button, name, bar, formula: text }, at) => {
    const neuron = order[at];
    name.textContent = `neuron ${neuron}`;
    bar.className = sign(neuron);
    bar.style.width = `${sizes[order[0]] ? (100 * sizes[neuron]) / sizes[order[0]] : 0}%`;
    text.textContent = formula(neuron);
    button.classList.toggle("in", at < added);
    if (at === added - 1) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  });
}

function showSum() {
  showRows();
  sumChart.setData([sumX, sums[added], sums[Math.max(0, added - 1)]]);
  byId("count").value = added;
  const lossOfThese = partialLoss();
  byId("sum-reading").replaceChildren(bold(added), ` of ${counted(training.hidden, "neuron")}`,
    ...(lossOfThese === null ? [] : [" · loss ", bold(lossText(lossOfThese))]));
  byId("count").setAttribute("aria-valuetext", `${added} of ${counted(training.hidden, "neuron")}`);
}

// Show the sum with so many neurons, and stop adding.
function addTo(count) {
  stopAdding();
  added = Math.min(Math.max(count, 0), training.hidden);
  showSum();
}

function stopAdding() {
  clearInterval(adding);
  adding = null;
  byId("add-all").textContent = "add one by one";
}

function addAll() {
  if (adding !== null) return stopAdding();
  transport.pause();
  addTo(added === training.hidden ? 0 : added);
  byId("add-all").textContent = "pause";
  const wait = Math.min(500, Math.max(50, (1000 * SECONDS) / training.hidden));
  const step = Math.max(1, Math.round((training.hidden * wait) / (1000 * SECONDS)));
  adding = setInterval(() => {
    added = Math.min(added + step, training.hidden);
    showSum();
    if (added === training.hidden) stopAdding();
  }, wait);
}

byId("count").max = training.hidden;
byId("count").addEventListener("input", () => addTo(byId("count").valueAsNumber));
byId("less").addEventListener("click", () => addTo(added - 1));
byId("more").addEventListener("click", () => addTo(added + 1));
byId("add-all").addEventListener("click", addAll);
views.push(() => {
  ({ order, sizes, sums } = addedUp(frame));
  showSum();
});
