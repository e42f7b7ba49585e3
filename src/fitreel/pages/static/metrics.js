// The further metrics of a reel: like the loss, in its chart; others in small charts of their own.

const MOST_BESIDE = 6; // lines in the chart of the loss
const FAR = 100; // times the loss: its curve would be a flat stripe
const STROKES = ["test", "other", "floor", "dead"]; // of the lines, one after the other
const DASHES = [[6, 3], [2, 3]];

const metrics = (data.metrics ?? []).map(({ name, steps, values }) => ({
  name, steps: decoded(steps, Float64Array), values: decoded(values, Float64Array),
}));

const sizeOf = (values) => Math.max(0, ...values.filter(Number.isFinite).map(Math.abs));

// Whether a curve belongs to the loss: by its name, and by its size.
function isLikeLoss({ name, values }) {
  const mine = sizeOf(values), its = sizeOf(training.losses);
  return /loss|error|mse|mae/i.test(name) && mine <= FAR * its && its <= FAR * mine;
}

const alike = metrics.filter(isLikeLoss).slice(0, MOST_BESIDE);
alike.forEach((curve, at) => {
  const name = STROKES[at % STROKES.length];
  const text = element("b");
  besideLoss.push({ ...curve, text, stroke: () => colours[name], dash: DASHES[Math.floor(at / STROKES.length)] });
  const sample = element("i", { className: `sample dashed-${at < STROKES.length ? "long" : "short"}` });
  sample.style.borderColor = `var(--${name})`;
  byId("legend-of-loss").append(element("span", {}, sample, ` ${curve.name} `, text));
});

// ---- a small chart for each of the others

const small = metrics.filter((curve) => !alike.includes(curve)).map((curve) => {
  const chart = element("div", { className: "chart", role: "img", ariaLabel: curve.name });
  const text = element("span", { className: "soft" });
  byId("metric-charts").append(element("figure", {}, element("figcaption", { title: curve.name }, element("span", {}, curve.name)), element("p", { className: "moment soft" }, text), chart));
  return { curve, parent: chart, text, pointed: null };
});
byId("metrics").hidden = !small.length;
byId("missing-metrics").textContent = metrics.length < (data.metric_count ?? 0) ? `${metrics.length} of ${data.metric_count} metrics shown` : "";

for (const each of small) {
  const { curve } = each, found = [...curve.values].filter(Number.isFinite);
  each.chart = makeChart(each.parent, {
    x: padded(stepRange(), 0.02),
    y: padded(found.length ? [Math.min(...found), Math.max(...found)] : [0, 1], 0.08),
    data: [stepRange(), [null, null]],
    series: [{ show: false }],
    axes: [axis(24), axis(52)],
    hooks: {
      draw: (chart) => {
        drawCurve(chart, { ...curve, stroke: () => colours.points });
        if (frame !== undefined) drawVertical(chart, training.frameEpochs[place], colours.line);
      },
    },
  });
  onScrub(each.chart, (step) => transport.go(nearest(training.frameEpochs, step)));
  onPointer(each.chart, (step) => {
    each.pointed = step;
    showMetric(each);
  });
}

function showMetric({ curve, text, pointed }) {
  const step = pointed ?? training.frameEpochs[place];
  text.replaceChildren(`${stepName} `, bold(Math.floor(step).toLocaleString("en")), "  ", bold(valueText(curve, step)));
}

views.push(() => {
  for (const each of small) {
    each.chart.redraw(false);
    showMetric(each);
  }
});

// A logarithmic axis has no place for losses below zero.
if (training.losses.some((value) => value < 0) || !training.losses.some((value) => value > 0)) byId("log").checked = false;
if (alike.length || !byId("log").checked) makeLoss();
