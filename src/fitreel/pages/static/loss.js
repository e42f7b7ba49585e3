// The loss curve: where the film is, the losses on test rows, and the noise floor.

let loss;
const beneathLoss = []; // draw on the chart, beneath the curves

function makeLoss() {
  const log = byId("log").checked;
  const drawn = (losses) => Array.from(losses, (value) => (log && value <= 0 ? null : value));
  const values = drawn(training.losses), others = drawn(other?.losses ?? []);
  const floor = data.noise_floor;
  loss = makeChart(document.querySelector("#loss .chart"), {
    x: padded([0, Math.max(1, epochs[epochs.length - 1])], 0.02), // the dot is whole at both ends
    y: lossRange([values, others, training.testLosses ?? [], floor ? [floor] : []], log),
    log,
    data: [epochs, values, Array.from(epochs, (_, at) => others[at] ?? null)],
    series: [
      { stroke: () => colours.points, width: 2, points: { show: values.length === 1 } },
      { stroke: () => colours.other, width: 2 },
    ],
    hooks: {
      drawAxes: (chart) => beneathLoss.forEach((draw) => draw(chart)),
      draw: (chart) => {
        if (floor) drawHorizontal(chart, floor, `noise floor ${short(floor, 3)}`, colours.floor);
        drawTestLosses(chart);
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
    const near = epoch === null ? -1 : lastAtMost(epochs, Math.max(0, epoch));
    byId("loss-reading").replaceChildren(...(near < 0 ? ["press to jump"]
      : ["epoch ", bold(epochs[near].toLocaleString("en")), "  loss ", bold(lossText(training.losses[near])),
        ...(near in (other?.losses ?? []) ? ["  what if ", bold(lossText(other.losses[near]))] : [])]));
  });
}

// A dot at the epoch of the film; a training that has diverged has no loss there.
function drawHere(chart, value, colour) {
  if (value === undefined) return;
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

views.push(() => loss.redraw(false));
byId("log").addEventListener("change", makeLoss);
makeLoss();
byId("loss-reading").textContent = "press to jump";
byId("loss-name").textContent = data.loss_name;
