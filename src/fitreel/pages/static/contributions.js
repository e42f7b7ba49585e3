// What each neuron adds to the prediction: a line for each, and its kink as a tick.

const NEAR = 14; // pixels from a line within which a click picks its neuron
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

views.push(() => {
  contributions.setData([lineX, lineX.map((x) => (picked === null ? NaN : frame.contribution(picked, x)))]);
  byId("output-bias").textContent = short(frame.outputBias);
});

readAt(contributions);
