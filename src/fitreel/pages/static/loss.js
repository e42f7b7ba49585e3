// The loss curve: where the film is, the noise floor, and when the picked neuron is dead.

let loss;

function makeLoss() {
  const log = byId("log").checked;
  const drawn = (losses) => Array.from(losses, (value) => (log && value <= 0 ? null : value));
  const values = drawn(training.losses), others = drawn(other?.losses ?? []);
  const floor = data.noise_floor;
  loss = makeChart(document.querySelector("#loss .chart"), {
    x: padded([0, Math.max(1, epochs[epochs.length - 1])], 0.02), // the dot is whole at both ends
    y: lossRange([values, others, floor ? [floor] : []], log),
    log,
    data: [epochs, values, Array.from(epochs, (_, at) => others[at] ?? null)],
    series: [
      { stroke: () => colours.points, width: 2, points: { show: values.length === 1 } },
      { stroke: () => colours.other, width: 2 },
    ],
    hooks: {
      drawAxes: drawDeadEpochs,
      draw: (chart) => {
        if (floor) drawHorizontal(chart, floor, `noise floor ${short(floor, 3)}`, colours.floor);
        if (!frame) return;
        drawVertical(chart, training.frameEpochs[place], colours.line);
        drawHere(chart, training.frameLosses[place], colours.line);
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

views.push(() => {
  loss.redraw(false);
  const isEverDead = picked !== null && training.frames.some((_, at) => training.isDead(at, picked, dataset.xRange));
  byId("dead-epochs").hidden = !isEverDead;
  byId("dead-epochs").lastElementChild.textContent = `neuron ${picked} is dead`;
});

byId("log").addEventListener("change", makeLoss);
makeLoss();
byId("loss-reading").textContent = "press to jump";
