// The page of a comparison: fits and losses of all runs in step, and a table.

const data = JSON.parse(byId("data").textContent);
const datasets = data.datasets.map((each) => each && new Dataset(each)); // null: shown by a reel
const steps = data.steps.map((each) => decoded(each, Float64Array)); // of the losses that are drawn
// Names from outside may be those of an object's own members.
const bare = (object) => Object.assign(Object.create(null), object);
data.best = bare(data.best);
const runs = data.runs.map((run) => ({ ...run, params: bare(run.params), metrics: bare(run.metrics), training: run.reel ? new Reel(run.reel) : new Training(run.training), steps: steps[run.steps], losses: decoded(run.losses, Float32Array), dataset: datasets[run.dataset], isShown: true }));
const MOST_MOMENTS = 400;
const CELL_POINTS = 120;
const FIT_POINTS = 240;
const FADED = 0.18;
let place, lit = null;

// ---- the moments that all runs show together: epochs, or shares of each one's training

let isShare = data.align === "share", moments;
// The run that takes most steps decides where the film stays when the moments change.
const longest = runs.reduce((one, other) => (other.span[1] - other.span[0] > one.span[1] - one.span[0] ? other : one));

function momentOf({ span: [first, last] }, step) {
  return isShare ? (step - first) / Math.max(1, last - first) : step;
}

function makeMoments() {
  for (const run of runs) run.frameMoments = Array.from(run.training.frameEpochs, (step) => momentOf(run, step));
  moments = thinned([...new Set(runs.flatMap((run) => run.frameMoments))].sort((one, other) => one - other));
}

// Choose values evenly, both ends kept.
function thinned(values) {
  const count = Math.min(values.length, MOST_MOMENTS);
  return Array.from({ length: count }, (_, at) => values[Math.round((at * (values.length - 1)) / Math.max(1, count - 1))]);
}

const percent = (share) => `${short(100 * share, 3)} %`;
const momentText = (moment) => (isShare ? percent(moment) : moment.toLocaleString("en"));
const momentParts = (moment) => (isShare ? [bold(momentText(moment)), " of the training"] : [`${data.step_name} `, bold(momentText(moment))]);

function alignBy(share) {
  const [first, last] = longest.span, now = moments[place], isLast = place === moments.length - 1;
  const step = isShare ? first + now * (last - first) : now;
  isShare = share;
  makeMoments();
  transport.resize(moments.length);
  makeLosses();
  transport.go(isLast ? moments.length - 1 : nearest(moments, momentOf(longest, step)));
}

makeMoments();
byId("align").value = data.align;
byId("align").options[0].textContent = data.step_name;
byId("align").addEventListener("change", (event) => alignBy(event.target.value === "share"));

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
const groups = data.groups.map((group) => {
  const curve = (text) => decoded(text, Float32Array);
  return { ...group, metrics: bare(group.metrics), mean: curve(group.mean), low: curve(group.low), high: curve(group.high) };
});
// A logarithmic axis has no place for the loss of any model, which may be below zero.
byId("log").checked = !runs.some((run) => run.losses.some((loss) => loss < 0));

function makeLosses() {
  const log = byId("log").checked, areMeans = groups.length > 0 && byId("means").checked;
  // A loss that is not finite is a gap, and so is one that a logarithmic axis lacks.
  const drawn = (curve) => Array.from(curve, (value) => (!Number.isFinite(value) || (log && value <= 0) ? null : value));
  const grouped = new Set(areMeans ? groups.flatMap((group) => group.runs) : []);
  const series = [], curves = [], tables = [], bands = [], owners = [];
  // Curves of one run or of one group: they have its steps, which other runs may not have.
  const add = (run, label, ...mine) => {
    const at = Array.from(run.steps, (step) => momentOf(run, step)), values = mine.map(drawn);
    tables.push([at, ...values]);
    curves.push(...values);
    owners.push(...mine.map((_, number) => ({ label: number === mine.length - 1 ? label : null, run, at })));
  };
  runs.forEach((run, at) => {
    if (grouped.has(at)) return;
    add(run, run.caption, run.losses);
    series.push({ ...lineOf(at), points: { show: run.losses.filter(Number.isFinite).length === 1 } });
  });
  for (const group of areMeans ? groups : []) {
    const isShown = group.runs.some((at) => runs[at].isShown), first = group.runs[0];
    const edge = { stroke: "transparent", width: 0, show: isShown };
    bands.push({ series: [curves.length + 2, curves.length + 1], fill: () => `${colourOf(first)}38` });
    series.push(edge, edge, { stroke: () => shade(...group.runs), width: 2.5, show: isShown });
    const label = `mean of ${group.runs.length} seeds${group.label ? `, ${group.label}` : ""}`;
    add(runs[first], label, group.low, group.high, group.mean);
  }
  const floor = data.noise_floor;
  const seen = curves.filter((_, at) => series[at].show);
  losses = makeChart(document.querySelector("#losses .chart"), {
    x: padded(momentRange(), 0.02),
    y: lossRange(floor ? [...seen, [floor]] : seen, log),
    log,
    axes: [axis(30, isShare ? { values: (_, shares) => shares.map(percent) } : {}), axis(52, log ? { values: roundOnes } : {})],
    data: uPlot.join(tables),
    series,
    bands,
    hooks: {
      draw: (chart) => {
        if (floor) drawHorizontal(chart, floor, `noise floor ${short(floor, 3)}`, colours.floor);
        if (place !== undefined) drawVertical(chart, moments[place], colours.soft);
      },
    },
  });
  onScrub(losses, (moment) => transport.go(nearest(moments, moment)));
  onPointer(losses, (moment) => {
    // Of each curve the last value up to there; behind its end it has none.
    const places = owners.map(({ at }) => (moment === null || moment > at[at.length - 1] + momentRange()[1] / 100 ? -1 : Math.max(0, lastAtMost(at, moment))));
    const found = nearestSeries(losses, curves.map((curve, number) => curve[places[number]]), series);
    if (found === null || !owners[found].label) {
      byId("losses-reading").textContent = "press to jump";
      return;
    }
    const { run, label } = owners[found], step = run.steps[places[found]];
    byId("losses-reading").replaceChildren(bold(label), ` · ${run.step_name} ${step.toLocaleString("en")}${isShare ? ` (${percent(momentOf(run, step))})` : ""} loss `, bold(lossText(curves[found][places[found]])));
  });
  byId("losses-reading").textContent = "press to jump";
}

// The first and the last moment of all curves and frames.
function momentRange() {
  const ends = runs.flatMap((run) => run.span.map((step) => momentOf(run, step)));
  const first = Math.min(...ends), last = Math.max(...ends);
  return [first, last > first ? last : first + 1];
}

// The place of the shown series whose value is nearest to the mouse, if it is near.
function nearestSeries(chart, values, series) {
  let found = null, least = 40;
  values.forEach((value, number) => {
    if (!series[number].show || series[number].width === 0 || !Number.isFinite(value)) return;
    const distance = Math.abs(chart.valToPos(value, "y") - chart.cursor.top);
    if (distance < least) [found, least] = [number, distance];
  });
  return found;
}

// ---- the fits over each other

// Of runs with one feature alone: other views cannot lie over each other.
const isCurve = (run) => !run.reel || run.reel.kind === "curve";
// What a run predicts at x in a frame: our own network by its weights, others between their probes.
const predicted = (run, frame, x) => (run.reel ? run.training.valueAt(frame, x) : run.training.frames[frame].predict(x));
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
    hooks: { drawAxes: (chart) => curveData.length === 1 && drawPoints(chart, curveData[0], 0.9) },
  });
  onPointer(chart, (x) => {
    const at = x === null ? -1 : nearest(fitX, x);
    const found = at < 0 ? null : nearestSeries(chart, fitCurves.map((curve) => curve[at]), chart.series.slice(1));
    if (found === null) {
      byId("fits-reading").textContent = NO_READING;
      return;
    }
    const shown = shownX(x, xRange), run = runs[found], value = predicted(run, framePlace(run), shown);
    byId("fits-reading").replaceChildren(bold(runs[found].caption), ` · ${curveData[0].feature} `, bold(withMinus(String(shown))),
      `  predicted ${curveData[0].target} `, bold(value === null ? "–" : run.reel ? curveReading(run.training, value) : precise(value)));
  });
  byId("fits-reading").textContent = NO_READING;
  return chart;
}

// ---- a cell a run

// The last frame up to the present moment.
const framePlace = (run) => Math.max(0, lastAtMost(run.frameMoments, moments[place]));

const cells = runs.map((run, at) => {
  const chart = element("div", { className: "chart", role: "img", ariaLabel: `Fit of ${run.label}` });
  const moment = element("p", { className: "soft moment" });
  // First what differs: names are long, and alike.
  const differing = data.differing.filter((param) => run.params[param] !== undefined).map((param) => `${param} ${run.params[param]}`).join(" · ");
  const caption = element("figcaption", { title: differing }, swatch(at), element("span", {}, run.caption));
  const name = run.caption.startsWith(run.label) ? "\u00a0" : run.label; // not twice
  const figure = element("figure", {}, caption, element("p", { className: "soft", title: run.label }, name), chart, moment);
  light(figure, at);
  return { chart, moment, figure, x: !isCurve(run) ? [] : run.reel ? run.training.line : evenly(run.dataset.xRange, CELL_POINTS) };
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
      const [from, to] = run.dataset.xRange;
      fitCurves[number] = Array.from(fitX, (x) => (x < from || x > to ? null : predicted(run, now, x)));
      cell.plot.setData([cell.x, Array.from(cell.x, (x) => predicted(run, now, x))]);
    } else cell.view.show(now);
    cell.moment.replaceChildren(`${run.step_name} ${frameEpochs[now].toLocaleString("en")} · loss `, bold(lossText(frameLosses[now])),
      ...(testLosses ? [" · test ", bold(lossText(testLosses[now]))] : []));
  });
  fits?.setData([fitX, ...fitCurves]);
  losses.redraw(false);
  byId("moment").replaceChildren(...momentParts(moments[place]));
  byId("scrub").setAttribute("aria-valuetext", byId("moment").textContent);
}

makeTable();
makeGroups();
makeEqual();
const transport = new Transport(moments.length, show);
for (const id of ["log", "means"]) byId(id).addEventListener("change", makeLosses);
makeLosses();
byId("runs-reading").textContent = `${runs.length} of ${runs.length} shown`;
transport.move(transport.last);
