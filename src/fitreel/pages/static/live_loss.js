// The losses of a training that runs, and its other metrics.

let lossChart = null, curveNames = [];
const lossX = [0, 1], lossY = [0.1, 1]; // changed in place: the chart asks for them

const curveColours = ["points", "test", "floor", "other", "positive", "negative", "dead"];
const colourOf = (at) => colours[curveColours[at % curveColours.length]];

function drawLosses() {
  const names = [...curves.keys()], log = byId("log").checked;
  if (!names.length) return;
  const last = Math.max(...names.map((name) => curves.get(name).steps.at(-1)));
  [lossX[0], lossX[1]] = padded([0, Math.max(1, steps ?? last)], 0.02);
  [lossY[0], lossY[1]] = lossRange(names.map((name) => curves.get(name).values), log);
  const joined = uPlot.join(names.map((name) => {
    const { steps: at, values } = curves.get(name);
    return [at, log ? values.map((value) => (value > 0 ? value : null)) : values];
  }));
  if (names.join("\n") === curveNames.join("\n") && lossChart) return lossChart.setData(joined);
  curveNames = names;
  lossChart = makeChart(document.querySelector("#loss .chart"), {
    x: lossX, y: lossY, log, data: joined,
    series: names.map((_, at) => ({ stroke: () => colourOf(at), width: 2, spanGaps: true })),
    hooks: { draw: drawMoment },
  });
  onScrub(lossChart, (step) => transport?.go(nearest(training.frameEpochs, step)));
  onPointer(lossChart, readLosses);
  readLosses(null);
  byId("curve-names").replaceChildren(...names.map((name, at) => {
    const sample = element("i", { className: "sample" });
    sample.style.borderColor = `var(--${curveColours[at % curveColours.length]})`;
    return element("span", {}, sample, ` ${name}`);
  }));
}

function drawMoment(chart) {
  if (frame === undefined) return;
  drawVertical(chart, training.frameEpochs[frame], colours.line);
  drawing(chart, (ctx, left, top, ratio) => {
    ctx.fillStyle = colours.line;
    ctx.beginPath();
    ctx.arc(left(training.frameEpochs[frame]), top(training.frameLosses[frame]), 5 * ratio, 0, 2 * Math.PI);
    ctx.fill();
  });
}

function readLosses(step) {
  if (step === null) return byId("loss-reading").replaceChildren("press to jump");
  const parts = [];
  for (const [name, { steps: at, values }] of curves) {
    const place = lastAtMost(at, Math.max(0, step));
    if (place < 0 || values[place] === null) continue;
    if (!parts.length) parts.push("step ", bold(at[place].toLocaleString("en")));
    parts.push(`  ${name} `, bold(lossText(values[place])));
  }
  byId("loss-reading").replaceChildren(...parts);
}

byId("log").addEventListener("change", () => {
  lossChart = null;
  drawLosses();
});
