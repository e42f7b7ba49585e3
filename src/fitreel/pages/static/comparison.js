// The page of a comparison: fits and losses of all runs in step, and a table.

const data = JSON.parse(byId("data").textContent);
const datasets = data.datasets.map((each) => each && new Dataset(each)); // null: shown by a reel
// Names from outside may be those of an object's own members.
const bare = (object) => Object.assign(Object.create(null), object);
data.best = bare(data.best);
const runs = data.runs.map((run) => ({ ...run, params: bare(run.params), metrics: bare(run.metrics), training: run.reel ? new Reel(run.reel) : new Training(run.training), dataset: datasets[run.dataset], isShown: true }));
const MOST_STEPS = 400;
const epochs = thinned([...new Set(runs.flatMap((run) => [...run.training.frameEpochs]))].sort((one, other) => one - other));
const CELL_POINTS = 120;
const FIT_POINTS = 240;
const FADED = 0.18;
let place, lit = null;

// Choose values evenly, both ends kept.
function thinned(values) {
  const count = Math.min(values.length, MOST_STEPS);
  return Array.from({ length: count }, (_, at) => values[Math.round((at * (values.length - 1)) / Math.max(1, count - 1))]);
}

readColours();
document.body.classList.toggle("grouped", data.groups.length > 0);
document.title = `${runs.length} runs compared · fitreel`;
byId("title").textContent = `${runs.length} runs, side by side`;
byId("facts").textContent = [
  data.metric ? `${data.metric}: the ${data.is_higher_better ? "highest" : "lowest"} is best` : "",
  data.differing.length ? `${data.differing.join(", ")} ${data.differing.length === 1 ? "differs" : "differ"}` : "no param differs",
].filter(Boolean).join(" · ");

const colourOf = (place) => (isDark() ? data.dark_colours : data.colours)[place];
const swatch = (place) => {
  const made = element("i", { className: "swatch" });
  made.style.background = `light-dark(${data.colours[place]}, ${data.dark_colours[place]})`;
  return made;
};

// ---- which runs are shown, and which is lit up

const chips = runs.map((run, at) => {
  const chip = element("button", { type: "button", title: run.label }, swatch(at), element("span", {}, run.caption));
  chip.setAttribute("aria-pressed", "true");
  chip.addEventListener("click", () => toggle([at], !run.isShown));
  light(chip, at);
  return chip;
});
byId("legend").append(...chips);
byId("all").addEventListener("click", () => toggle(runs.keys(), true));
byId("none").addEventListener("click", () => toggle(runs.keys(), false));

function toggle(places, isShown) {
  for (const at of places) {
    runs[at].isShown = isShown;
    chips[at].setAttribute("aria-pressed", String(isShown));
    cells[at].figure.classList.toggle("off", !isShown);
    rows[at].classList.toggle("off", !isShown);
  }
  byId("runs-reading").textContent = `${runs.filter((run) => run.isShown).length} of ${runs.length} shown`;
  makeLosses();
  show(place);
}

// Let an element light its run up everywhere while the mouse or the focus is on it.
function light(part, at) {
  const change = (to) => () => {
    if (lit === to) return;
    lit = to;
    for (const chart of [losses, fits]) chart?.redraw();
    runs.forEach((_, other) => {
      for (const each of [chips[other], cells[other]?.figure, rows[other]]) each?.classList.toggle("lit", other === lit);
    });
  };
  // A finger has no place to rest: a tap would leave it lit.
  const byMouse = (to) => (event) => event.pointerType === "mouse" && change(to)();
  part.addEventListener("pointerenter", byMouse(at));
  part.addEventListener("pointerleave", byMouse(null));
  part.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && change(at)());
  part.addEventListener("focusout", change(null));
}

// The colour of a run's line, or of several runs' mean; faint while another run is lit.
function shade(...places) {
  const isFaint = lit !== null && runs[lit].isShown && !places.includes(lit);
  return colourOf(places[0]) + (isFaint ? Math.round(FADED * 255).toString(16) : "");
}

function lineOf(at, width = 2) {
  return { stroke: () => shade(at), width, show: runs[at].isShown };
}

// ---- the losses

let losses;
const common = decoded(data.epochs, Int32Array);
// A run has a loss for each common epoch that it reached: the first ones, in the same order.
const lossCurves = runs.map((run) => Array.from(common, (_, at) => run.training.losses[at] ?? null));
const groups = data.groups.map((group) => {
  const curve = (text) => {
    const values = decoded(text, Float32Array);
    return Array.from(common, (_, at) => values[at] ?? null);
  };
  return { ...group, metrics: bare(group.metrics), mean: curve(group.mean), low: curve(group.low), high: curve(group.high) };
});

function makeLosses() {
  const log = byId("log").checked, areMeans = groups.length > 0 && byId("means").checked;
  const positive = (curve) => (log ? curve.map((value) => (value > 0 ? value : null)) : curve);
  const grouped = new Set(areMeans ? groups.flatMap((group) => group.runs) : []);
  const series = [], curves = [], bands = [], owners = [];
  runs.forEach((_, at) => {
    if (grouped.has(at)) return;
    curves.push(positive(lossCurves[at]));
    series.push({ ...lineOf(at), points: { show: runs[at].training.losses.length === 1 } });
    owners.push({ label: runs[at].caption });
  });
  for (const group of areMeans ? groups : []) {
    const isShown = group.runs.some((at) => runs[at].isShown), first = group.runs[0];
    const edge = { stroke: "transparent", width: 0, show: isShown };
    bands.push({ series: [curves.length + 2, curves.length + 1], fill: () => `${colourOf(first)}38` });
    for (const each of [group.low, group.high, group.mean]) curves.push(positive(each));
    series.push(edge, edge, { stroke: () => shade(...group.runs), width: 2.5, show: isShown });
    const label = `mean of ${group.runs.length} seeds${group.label ? `, ${group.label}` : ""}`;
    owners.push(null, null, { label });
  }
  const floor = data.noise_floor;
  const seen = curves.filter((_, at) => series[at].show);
  losses = makeChart(document.querySelector("#losses .chart"), {
    x: padded([0, Math.max(1, common[common.length - 1], epochs[epochs.length - 1])], 0.02),
    y: lossRange(floor ? [...seen, [floor]] : seen, log),
    log,
    data: [common, ...curves],
    series,
    bands,
    hooks: {
      draw: (chart) => {
        if (floor) drawHorizontal(chart, floor, `noise floor ${short(floor, 3)}`, colours.floor);
        if (place !== undefined) drawVertical(chart, epochs[place], colours.soft);
      },
    },
  });
  onScrub(losses, (epoch) => transport.go(nearest(epochs, epoch)));
  onPointer(losses, (epoch) => {
    const at = epoch === null ? -1 : lastAtMost(common, Math.max(0, epoch));
    const found = at < 0 ? null : nearestSeries(losses, curves, series, at);
    byId("losses-reading").replaceChildren(...(found === null || !owners[found] ? ["press to jump"]
      : [bold(owners[found].label), ` · epoch ${common[at].toLocaleString("en")} loss `, bold(lossText(curves[found][at]))]));
  });
  byId("losses-reading").textContent = "press to jump";
}

// The place of the shown series that is nearest to the mouse, if it is near.
function nearestSeries(chart, curves, series, at) {
  let found = null, least = 40;
  curves.forEach((curve, number) => {
    if (!series[number].show || series[number].width === 0 || !Number.isFinite(curve[at])) return;
    const distance = Math.abs(chart.valToPos(curve[at], "y") - chart.cursor.top);
    if (distance < least) [found, least] = [number, distance];
  });
  return found;
}

// ---- the fits over each other

// Of runs with one feature alone: other views cannot lie over each other.
const isCurve = (run) => !run.reel;
const withPoints = datasets.filter(Boolean);
const areAlike = withPoints.every(({ feature, target }) => feature === withPoints[0].feature && target === withPoints[0].target);
const curveData = areAlike ? withPoints : [];
byId("fits").hidden = !curveData.length;
document.querySelector("main").classList.toggle("fitless", !curveData.length);
const xRange = [Math.min(...curveData.map((each) => each.xRange[0])), Math.max(...curveData.map((each) => each.xRange[1]))];
const yRange = [Math.min(...curveData.map((each) => each.yRange[0])), Math.max(...curveData.map((each) => each.yRange[1]))];
const fitX = evenly(xRange, FIT_POINTS);
const fitCurves = runs.map(() => fitX.map(() => null));

const fits = curveData.length ? makeFits() : null;

function makeFits() {
  const chart = makeChart(document.querySelector("#fits .chart"), {
    x: padded(xRange, 0.04),
    y: padded(yRange, 0.2, 0.1),
    data: [fitX, ...runs.map(() => fitX.map(() => NaN))],
    series: runs.map((run, at) => ({ ...lineOf(at), show: run.isShown && isCurve(run) })),
    hooks: { drawAxes: (chart) => datasets.length === 1 && drawPoints(chart, datasets[0], 0.9) },
  });
  onPointer(chart, (x) => {
    const at = x === null ? -1 : nearest(fitX, x);
    const found = at < 0 ? null : nearestSeries(chart, fitCurves, chart.series.slice(1), at);
    if (found === null) {
      byId("fits-reading").textContent = NO_READING;
      return;
    }
    const shown = shownX(x, xRange), { frames } = runs[found].training;
    byId("fits-reading").replaceChildren(bold(runs[found].caption), ` · ${curveData[0].feature} `, bold(withMinus(String(shown))),
      `  predicted ${curveData[0].target} `, bold(precise(frames[framePlace(runs[found])].predict(shown))));
  });
  byId("fits-reading").textContent = NO_READING;
  return chart;
}

// ---- a cell a run

const framePlace = (run) => run.training.frameAt(epochs[place]);

const cells = runs.map((run, at) => {
  const chart = element("div", { className: "chart", role: "img", ariaLabel: `Fit of ${run.label}` });
  const moment = element("p", { className: "soft moment" });
  // First what differs: names are long, and alike.
  const differing = data.differing.filter((param) => run.params[param] !== undefined).map((param) => `${param} ${run.params[param]}`).join(" · ");
  const caption = element("figcaption", { title: differing }, swatch(at), element("span", {}, run.caption));
  const figure = element("figure", {}, caption, element("p", { className: "soft", title: run.label }, run.label), chart, moment);
  light(figure, at);
  return { chart, moment, figure, x: isCurve(run) ? evenly(run.dataset.xRange, CELL_POINTS) : [] };
});
byId("cells").append(...cells.map((cell) => cell.figure));
const mostColumns = runs.length <= 4 ? runs.length : runs.length <= 8 ? 4 : runs.length <= 15 ? 5 : runs.length <= 30 ? 6 : 8;
byId("cells").style.setProperty("--columns", Math.ceil(runs.length / Math.ceil(runs.length / mostColumns)));
const noAxes = () => [axis(0, { show: false }), axis(0, { show: false })];
runs.forEach((run, at) => {
  if (!isCurve(run)) {
    cells[at].view = makeView(cells[at].chart, run.training, { size: runs.length <= 12 ? 0.7 : 0.5, axes: noAxes() });
    return;
  }
  cells[at].plot = makeChart(cells[at].chart, {
    x: padded(run.dataset.xRange, 0.04),
    y: padded(run.dataset.yRange, 0.2, 0.1),
    data: [cells[at].x, cells[at].x.map(() => NaN)],
    series: [{ stroke: () => colours.line, width: runs.length <= 12 ? 2.5 : 2 }],
    axes: noAxes(),
    hooks: { drawAxes: (chart) => drawPoints(chart, run.dataset, runs.length <= 12 ? 0.8 : 0.55) },
  });
});

// ---- the table

function cellText(value) {
  return typeof value === "number" ? short(value) : value ?? "";
}

// Numbers before text, by size; what is missing comes last.
function order(one, other, isDown) {
  const missing = (value) => value === null || value === undefined || value === "";
  if (missing(one) || missing(other)) return missing(one) - missing(other);
  const [first, second] = [Number(one), Number(other)];
  const areNumbers = !Number.isNaN(first) && !Number.isNaN(second);
  const found = areNumbers ? first - second : String(one).localeCompare(String(other), "en");
  return isDown ? -found : found;
}

const rows = [];

function makeTable() {
  const table = byId("results");
  const columns = [
    { name: "run", value: (run) => run.label },
    ...data.differing.map((name) => ({ name, value: (run) => run.params[name] })),
    ...data.metrics.map((name) => ({ name, value: (run) => run.metrics[name], best: new Set(data.best[name]) })),
    { name: "run id", value: (run) => run.run_id },
  ];
  const isNumber = (value) => typeof value === "number" || (Boolean(value) && !Number.isNaN(Number(value)));
  const headings = columns.map(({ name, value }) => {
    const className = runs.every((run) => isNumber(value(run) ?? 0)) ? "number" : "";
    return element("th", { scope: "col", className }, element("button", { type: "button" }, name));
  });
  const body = element("tbody");
  runs.forEach((run, at) => {
    const row = element("tr", {}, ...columns.map(({ value, best }, column) => {
      if (!column) return element("th", { scope: "row" }, swatch(at), run.label);
      const text = cellText(value(run)), isBest = best?.has(at);
      const cell = element("td", { className: isBest ? "best" : "", title: isBest ? "best" : "" }, isBest ? `★ ${text}` : text);
      if (isNumber(value(run))) cell.classList.add("number");
      return cell;
    }));
    light(row, at);
    rows.push(row);
    body.append(row);
  });
  headings.forEach((heading, column) => heading.firstChild.addEventListener("click", () => {
    const isDown = heading.ariaSort === "ascending";
    for (const each of headings) each.removeAttribute("aria-sort");
    heading.ariaSort = isDown ? "descending" : "ascending";
    const places = [...runs.keys()].sort((one, other) => order(columns[column].value(runs[one]), columns[column].value(runs[other]), isDown));
    body.append(...places.map((at) => rows[at]));
  }));
  table.append(element("thead", {}, element("tr", {}, ...headings)), body);
}

function makeGroups() {
  if (!groups.length) return;
  const names = data.metrics.filter((name) => groups.some((group) => group.metrics[name]));
  const head = element("tr", {}, ...["runs that differ by seed alone", "seeds", ...names].map((name) => element("th", { scope: "col" }, name)));
  const body = groups.map((group) => element("tr", {},
    element("th", { scope: "row" }, swatch(group.runs[0]), group.label),
    element("td", { className: "number" }, String(group.runs.length)),
    ...names.map((name) => {
      const found = group.metrics[name];
      return element("td", { className: "number" }, found ? `${short(found.mean)} ± ${short(found.half_width, 2)}` : "");
    })));
  byId("groups").append(
    element("table", {}, element("caption", {}, "Mean and its 95 % interval over seeds"), element("thead", {}, head), element("tbody", {}, ...body)));
}

function makeEqual() {
  const equal = Object.entries(data.equal);
  byId("equal").hidden = !equal.length;
  byId("equal").querySelector("summary").textContent = `${counted(equal.length, "param")} equal in all runs`;
  byId("equal").querySelector("table").append(...equal.map(([name, value]) =>
    element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value))));
}

// ---- all of it, at a step

function show(at) {
  place = at;
  runs.forEach((run, number) => {
    const { frameEpochs, frameLosses, testLosses } = run.training, now = framePlace(run);
    const isSeen = run.isShown && isCurve(run);
    if (fits && fits.series[number + 1].show !== isSeen) fits.setSeries(number + 1, { show: isSeen });
    if (run.shownFrame === now) return; // it waits at its end, or another run was switched off
    run.shownFrame = now;
    const cell = cells[number];
    if (isCurve(run)) {
      const [from, to] = run.dataset.xRange, frame = run.training.frames[now];
      fitCurves[number] = Array.from(fitX, (x) => (x < from || x > to ? null : frame.predict(x)));
      cell.plot.setData([cell.x, cell.x.map((x) => frame.predict(x))]);
    } else cell.view.show(now);
    cell.moment.replaceChildren(`epoch ${frameEpochs[now].toLocaleString("en")} · loss `, bold(lossText(frameLosses[now])),
      ...(testLosses ? [" · test ", bold(lossText(testLosses[now]))] : []));
  });
  fits?.setData([fitX, ...fitCurves]);
  losses.redraw(false);
  byId("moment").replaceChildren("epoch ", bold(epochs[place].toLocaleString("en")));
  byId("scrub").setAttribute("aria-valuetext", `epoch ${epochs[place].toLocaleString("en")}`);
}

makeTable();
makeGroups();
makeEqual();
const transport = new Transport(epochs.length, show);
for (const id of ["log", "means"]) byId(id).addEventListener("change", makeLosses);
makeLosses();
byId("runs-reading").textContent = `${runs.length} of ${runs.length} shown`;
transport.move(transport.last);
