// The loss curve: where the film is, the losses on test rows, further curves, and the noise floor.

let loss;
const beneathLoss = []; // draw on the chart, beneath the curves
const besideLoss = []; // further curves of the chart: name, steps, values, stroke, and the element of their value
let pointedStep = null;

function makeLoss() {
  const log = byId("log").checked;
  // What is not a number is a gap, as is what a logarithmic axis lacks.
  const drawn = (losses) => Array.from(losses, (value) => (!Number.isFinite(value) || (log && value <= 0) ? null : value));
  const values = drawn(training.losses), others = drawn(other?.losses ?? []);
  const floor = data.noise_floor;
  loss = makeChart(document.querySelector("#loss .chart"), {
    x: padded(stepRange(), 0.02), // the dot is whole at both ends
    y: lossRange([values, others, training.testLosses ?? [], floor ? [floor] : [], ...besideLoss.map((curve) => drawn(curve.values))], log),
    log,
    data: [epochs, values, Array.from(epochs, (_, at) => others[at] ?? null)],
    series: [
      { stroke: () => colours.points, width: 2, points: alonePoints(values) },
      { stroke: () => colours.other, width: 2 },
    ],
    hooks: {
      drawAxes: (chart) => beneathLoss.forEach((draw) => draw(chart)),
      draw: (chart) => {
        if (floor) drawHorizontal(chart, floor, `noise floor ${short(floor, 3)}`, colours.floor);
        drawTestLosses(chart);
        for (const curve of besideLoss) drawCurve(chart, curve, log);
        if (frame === undefined) return;
        drawVertical(chart, training.frameEpochs[place], colours.line);
        drawHere(chart, training.frameLosses[place], colours.line);
        if (training.testLosses) drawHere(chart, training.testLosses[place], colours.test);
        if (other) drawHere(chart, other.frameLosses[place], colours.other);
      },
    },
  });
  onScrub(loss, (epoch) => transport.go(nearest(training.frameEpochs, epoch)));
  onPointer(loss, (epoch) => {
    const near = epoch === null ? -1 : lastAtMost(epochs, Math.max(epochs[0], epoch));
    byId("loss-reading").replaceChildren(...(near < 0 ? ["press to jump"]
      : [`${stepName} `, bold(epochs[near].toLocaleString("en")), "  loss ", bold(lossText(training.losses[near])),
        ...(near in (other?.losses ?? []) ? ["  what if ", bold(lossText(other.losses[near]))] : [])]));
    pointedStep = epoch;
    nameBeside();
  });
}

// The steps of all curves, from first to last.
function stepRange() {
  const all = [epochs, ...besideLoss.map((curve) => curve.steps)];
  const first = Math.min(...all.map((steps) => steps[0])), last = Math.max(...all.map((steps) => steps[steps.length - 1]));
  return [first, Math.max(first + 1, last)];
}

// Points without neighbours: no line shows them.
function alonePoints(values) {
  const alone = [...values.keys()].filter((at) => values[at] !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null);
  return { show: alone.length > 0, filter: () => alone, size: 5, fill: () => colours.points };
}

// A further curve, with gaps where it has no number.
function drawCurve(chart, { steps, values, stroke, dash = [] }, log = false) {
  drawing(chart, (ctx, left, top, ratio) => {
    ctx.strokeStyle = ctx.fillStyle = stroke();
    ctx.lineWidth = 1.75 * ratio;
    ctx.lineJoin = "round";
    ctx.setLineDash(dash.map((length) => length * ratio));
    const isDrawn = (at) => Number.isFinite(values[at]) && !(log && values[at] <= 0);
    ctx.beginPath();
    steps.forEach((step, at) => {
      if (!isDrawn(at)) return;
      const x = left(step), y = top(values[at]);
      if (isDrawn(at - 1)) return ctx.lineTo(x, y);
      ctx.moveTo(x, y);
      if (!isDrawn(at + 1)) ctx.fillRect(x - 2 * ratio, y - 2 * ratio, 4 * ratio, 4 * ratio);
    });
    ctx.stroke();
  });
}

// The last value of a curve that a step has, as text.
function valueText({ steps, values }, step) {
  const at = lastAtMost(steps, step);
  return at < 0 ? "–" : Number.isFinite(values[at]) ? short(values[at]) : String(values[at]);
}

// The values of the further curves, at the mouse or at the present frame.
function nameBeside() {
  const step = pointedStep ?? training.frameEpochs[place];
  for (const curve of besideLoss) curve.text.textContent = valueText(curve, step);
}

// A dot at the epoch of the film; a training that has diverged has no loss there.
function drawHere(chart, value, colour) {
  if (!Number.isFinite(value)) return;
  drawing(chart, (ctx, left, top, ratio) => {
    ctx.fillStyle = colour;
    ctx.beginPath();
    ctx.arc(left(training.frameEpochs[place]), top(value), 5 * ratio, 0, 2 * Math.PI);
    ctx.fill();
  });
}

// The losses on test rows, a point a frame.
function drawTestLosses(chart) {
  if (!training.testLosses) return;
  drawing(chart, (ctx, left, top, ratio) => {
    ctx.strokeStyle = colours.test;
    ctx.lineWidth = 2 * ratio;
    ctx.setLineDash([6 * ratio, 3 * ratio]);
    ctx.beginPath();
    training.testLosses.forEach((value, at) => value > 0 && ctx.lineTo(left(training.frameEpochs[at]), top(value)));
    ctx.stroke();
  });
}

// The losses of a frame, as parts of a text.
function lossParts({ frameLosses, testLosses }, at) {
  return ["  loss ", bold(lossText(frameLosses[at])), ...(testLosses ? ["  test ", bold(lossText(testLosses[at]))] : [])];
}

views.push(() => {
  loss.redraw(false);
  nameBeside();
});
byId("log").addEventListener("change", makeLoss);
makeLoss();
byId("loss-reading").textContent = "press to jump";
byId("loss-name").textContent = data.loss_name;
