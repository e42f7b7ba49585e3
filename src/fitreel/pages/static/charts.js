// The charts of all pages: colours, sizes, axes, the points, the line of the fit.

const LINE_POINTS = 400;
const FONT = "12px system-ui, sans-serif";
const NO_READING = "point at the chart to read it";

const colours = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ink", "soft", "grid", "points", "line", "dead", "positive", "negative", "floor", "other", "test", "paper", "panel"]) {
    colours[name] = style.getPropertyValue(`--${name}`).trim();
  }
}

const charts = new Map(); // the element around a chart to the chart

const resizing = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const chart = charts.get(target);
    const size = { width: target.clientWidth, height: target.clientHeight };
    if (chart && size.width && (size.width !== chart.width || size.height !== chart.height)) chart.setSize(size);
  }
});

const darkness = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => darkness.matches;

darkness.addEventListener("change", () => {
  readColours();
  for (const chart of charts.values()) chart.redraw();
});

function axis(size, more = {}) {
  const grid = { stroke: () => colours.grid, width: 1 };
  return { stroke: () => colours.soft, grid, ticks: { ...grid, size: 4 }, font: FONT, size, gap: 4, values: axisNumbers, ...more };
}

// Numbers at an axis: neighbours differ, and have room, however large or small they are.
function axisNumbers(chart, values, at, space, step) {
  const largest = Math.max(...values.map(Math.abs));
  const digits = Math.max(1, Math.ceil(Math.log10(largest / step) + 1e-9) + 1);
  const text = (value) => {
    if (value === 0) return "0";
    if (largest < 1e6 && step >= 1e-5) return value.toLocaleString("en", { maximumFractionDigits: 5 });
    if (largest >= 1e6 && largest < 1e15) return value.toLocaleString("en", { notation: "compact", maximumSignificantDigits: digits });
    return Number(value.toPrecision(digits)).toExponential();
  };
  return values.map(text);
}

// The name of an axis: text from outside, which a canvas draws as text.
const labelled = (text) => ({ label: text, labelSize: 20, labelFont: FONT, labelGap: 0 });

// Label a logarithmic axis at 1, 2 and 5 alone, where there are two of these.
function roundOnes(chart, values) {
  const leading = (value) => Math.round(value / Math.pow(10, Math.floor(Math.log10(value) + 1e-9)) * 1e6) / 1e6;
  const chosen = values.filter((value) => [1, 2, 5].includes(leading(value)));
  const labelled = chosen.length > 1 ? chosen : values.filter((value) => Number.isInteger(leading(value)));
  return values.map((value) => (labelled.includes(value) ? (value < 1e5 ? short(value, 2) : value.toExponential(0)) : ""));
}

// Of a logarithmic axis so long that uPlot would make ticks without end: some powers of ten.
const MOST_DECADES = 10;

function farApart([low, high]) {
  if (low > 1e-9 && high < 1e9 && high / low < 1e12) return {};
  const first = Math.ceil(Math.log10(low)), count = Math.floor(Math.log10(high)) - first + 1;
  const every = Math.max(1, Math.ceil(count / MOST_DECADES));
  const splits = Array.from({ length: Math.ceil(count / every) }, (_, at) => 10 ** (first + at * every));
  // uPlot asks for a step first, and has none as large as these numbers.
  return { ...(high > 1e9 && { incrs: [high - low] }), splits: () => splits, filter: () => splits };
}

// Put a chart into an element, in place of the one that it may hold.
function makeChart(parent, { x, y, series, data, axes, hooks = {}, log = false, sync, bands }) {
  charts.get(parent)?.destroy();
  const chart = new uPlot({
    width: parent.clientWidth,
    height: parent.clientHeight,
    padding: [8, 16, 0, 0], // half of the last number at an axis is to the right of it
    legend: { show: false },
    // The ranges stay: uPlot would fit them to each frame. A distribution of 3 is logarithmic.
    scales: { x: { time: false, range: () => x }, y: { range: () => y, distr: log ? 3 : 1 } },
    axes: axes ?? [axis(30), axis(52, log ? { values: roundOnes, ...farApart(y) } : {})],
    // Not aligned to whole pixels: a line that moves slowly would jump.
    series: [{}, ...series.map((each) => ({ points: { show: false }, pxAlign: 0, ...each }))],
    bands,
    cursor: {
      // No zoom by dragging: there it moves the film, and the ranges stay.
      y: false,
      drag: { x: false, y: false },
      points: { show: false },
      ...(sync && { sync: { key: sync, scales: ["x", null] } }),
    },
    hooks: Object.fromEntries(Object.entries(hooks).map(([name, hook]) => [name, [hook]])),
  }, data, parent);
  charts.set(parent, chart);
  resizing.observe(parent);
  return chart;
}

// Draw on a chart's canvas, within its axes, in pixels of the canvas.
function drawing(chart, draw) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw(ctx, (x) => chart.valToPos(x, "x", true), (y) => chart.valToPos(y, "y", true), devicePixelRatio || 1);
  ctx.restore();
}

function drawPoints(chart, dataset, size = 1) {
  const crowd = Math.min(1, 100 / dataset.x.length);
  drawing(chart, (ctx, left, top, ratio) => {
    const radius = size * (1.3 + 1.7 * Math.sqrt(crowd)) * ratio;
    ctx.fillStyle = colours.points;
    ctx.globalAlpha = 0.35 + 0.5 * crowd;
    ctx.beginPath();
    for (let place = 0; place < dataset.x.length; place++) {
      const x = left(dataset.x[place]), y = top(dataset.y[place]);
      ctx.moveTo(x + radius, y);
      ctx.arc(x, y, radius, 0, 2 * Math.PI);
    }
    ctx.fill();
    if (!dataset.test) return;
    ctx.fillStyle = colours.test;
    ctx.beginPath();
    dataset.test.x.forEach((value, place) => {
      const x = left(value), y = top(dataset.test.y[place]), reach = 1.4 * radius;
      ctx.moveTo(x, y - reach);
      for (const [right, down] of [[reach, 0], [0, reach], [-reach, 0]]) ctx.lineTo(x + right, y + down);
    });
    ctx.fill();
  });
}

function drawHorizontal(chart, value, label, colour, isAbove = false) {
  drawing(chart, (ctx, left, top, ratio) => {
    const y = top(value), { bbox } = chart;
    ctx.strokeStyle = ctx.fillStyle = colour;
    ctx.lineWidth = 1.5 * ratio;
    ctx.setLineDash([6 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.font = `${12 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = "left";
    const isLow = isAbove || y + 18 * ratio > bbox.top + bbox.height;
    ctx.fillText(label, bbox.left + 6 * ratio, isLow ? y - 5 * ratio : y + 15 * ratio);
  });
}

function drawVertical(chart, value, colour, dash = []) {
  drawing(chart, (ctx, left, top, ratio) => {
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.5 * ratio;
    ctx.setLineDash(dash.map((length) => length * ratio));
    ctx.beginPath();
    ctx.moveTo(left(value), chart.bbox.top);
    ctx.lineTo(left(value), chart.bbox.top + chart.bbox.height);
    ctx.stroke();
  });
}

function evenly([from, to], count) {
  return Float64Array.from({ length: count }, (_, place) => from + ((to - from) * place) / (count - 1));
}

function padded([from, to], below, above = below) {
  const size = to - from || 1;
  return [from - below * size, to + above * size];
}

// The limits of a loss curve's axis; a logarithmic one needs values above zero. What rises far
// above all beginnings has diverged: it leaves the picture, or the others would be a flat stripe.
function lossRange(curves, log) {
  let low = Infinity, high = -Infinity;
  for (const curve of curves) {
    for (const value of curve) {
      if (value == null || !Number.isFinite(value) || (log && value <= 0)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) [low, high] = [0.1, 1];
  if (low < 0) return padded([low, Math.max(0, high)], 0.05); // as log likelihoods are
  const begin = Math.max(0, ...curves.map((curve) => curve.find((value) => value > 0 && value < Infinity) ?? 0));
  if (begin > 0) high = Math.min(high, 100 * begin);
  if (!log) return [0, 1.05 * high || 1];
  const ratio = high / low;
  // Below the lowest there is room for a word. One digit: uPlot makes ticks without end from 0.0096.
  const bottom = low / Math.max(1.7, ratio ** 0.12), unit = 10 ** Math.floor(Math.log10(bottom));
  return [Number((Math.floor(bottom / unit) * unit).toPrecision(1)), high * Math.max(1.15, ratio ** 0.05)];
}

// Call back with x wherever a chart is pointed at, else with null.
function onPointer(chart, report) {
  chart.hooks.setCursor = [
    () => report(chart.cursor.left >= 0 ? chart.posToVal(chart.cursor.left, "x") : null),
  ];
}

// Let an epoch be chosen by a press on a loss curve, or by dragging over it.
function onScrub(chart, jump) {
  const { over } = chart;
  const follow = (event) => jump(chart.posToVal(event.clientX - over.getBoundingClientRect().left, "x"));
  over.style.touchAction = "pan-y";
  over.addEventListener("pointerdown", (event) => {
    over.setPointerCapture(event.pointerId);
    follow(event);
  });
  over.addEventListener("pointermove", (event) => event.buttons && follow(event));
}

// ---- numbers as text

const withMinus = (text) => text.replace(/-/g, "−");
const short = (value, digits = 4) => withMinus(String(Number(value.toPrecision(digits))));
const precise = (value) => withMinus(Math.abs(value) < 1000 ? value.toFixed(5) : value.toPrecision(8));
function lossText(loss) {
  const size = Math.abs(loss);
  if (!Number.isFinite(loss)) return String(loss);
  if (loss && size < 1e-4) return withMinus(loss.toExponential(2));
  return withMinus(size < 100 ? loss.toFixed(4) : size < 1e5 ? loss.toPrecision(6) : loss.toExponential(4));
}
const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

// x as it is shown: what is computed from it is true of the number that is read.
function shownX(x, [from, to]) {
  const digits = Math.max(0, 4 - Math.floor(Math.log10(to - from || 1)));
  return Number(x.toFixed(Math.min(digits, 12)));
}

// ---- text into the page; never as HTML

const byId = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const bold = (text) => element("b", {}, text);
