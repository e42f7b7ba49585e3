// The page of a sweep: a table of all trials, their lines, and the films of the best.

const data = JSON.parse(byId("data").textContent);
const ROWS = 200; // of the table, until more are asked for
const numbers = decoded(data.trials.number, Int32Array);
const ends = Array.from(decoded(data.trials.end, Int32Array), (end) => data.ends[end]);
const axes = data.axes.map((axis) => ({ ...axis, places: decoded(axis.places, Float32Array) }));
const films = new Map(data.films.map((film) => [film.trial, {
  ...film,
  dataset: film.dataset && new Dataset(film.dataset),
  training: film.reel ? new Reel(film.reel) : new Training(film.training),
}]));
const filmOf = (trial) => films.get(numbers[trial]);

readColours();
document.title = `${data.name || "sweep"} · fitreel`;
byId("title").textContent = data.name || "Sweep";
byId("facts").textContent = [
  data.summary,
  `${data.metric}: the ${data.is_higher_better ? "highest" : "lowest"} is best`,
  numbers.length < data.count ? `${numbers.length.toLocaleString("en")} of ${counted(data.count, "trial")} shown, the best and some of the others` : "",
].filter(Boolean).join(" · ");

// ---- the columns: a name, and a value of each trial; NaN and null are missing

const columns = [
  { name: "trial", value: (trial) => numbers[trial] },
  ...Object.entries(data.settings).map(([name, { choices, values }]) => {
    const found = decoded(values, choices ? Int32Array : Float64Array);
    return { name, value: choices ? (trial) => choices[found[trial]] : (trial) => found[trial] };
  }),
  ...Object.entries(data.metrics).map(([name, values]) => {
    const found = decoded(values, Float64Array);
    return { name, value: (trial) => found[trial] };
  }),
  { name: "end", value: (trial) => ends[trial] },
];
const score = columns.find(({ name }) => name === data.metric);
const isMissing = (value) => value === null || value === undefined || Number.isNaN(value);

// ---- the filter: words that a row has, and comparisons as in lr>0.1

const SIGNS = {
  "<": (one, other) => one < other, "<=": (one, other) => one <= other, ">": (one, other) => one > other,
  ">=": (one, other) => one >= other, "=": (one, other) => one === other, "!=": (one, other) => one !== other,
};

// A test of a trial for one word of the filter, or a text that says what is wrong with it.
function test(word) {
  const [, name, sign, text] = /^([^<>=!]+)(<=|>=|!=|<|>|=)(.*)$/.exec(word) ?? [];
  if (!sign) {
    const wanted = word.toLowerCase();
    return (trial) => columns.some(({ value }) => typeof value(trial) === "string" && value(trial).toLowerCase().includes(wanted));
  }
  const column = columns.find((each) => each.name === name);
  if (!column) return `there is no column ${name}`;
  if (!text) return `${word}: compare with what?`;
  const number = Number(text);
  return (trial) => {
    const value = column.value(trial);
    return !isMissing(value) && SIGNS[sign](value, typeof value === "number" ? number : text);
  };
}

function tests() {
  const found = byId("filter").value.trim().split(/\s+/).filter(Boolean).map(test);
  byId("filter-reading").textContent = found.filter((each) => typeof each === "string").join("; ");
  return found.filter((each) => typeof each !== "string");
}

// ---- the lines

const parallel = new Parallel(byId("parallel"), axes, decoded(data.trials.shade, Float32Array), {
  onBrush: choose,
  onPoint: (trial) => point(trial),
  onPick: (trial) => pick(trial),
});
byId("clear").addEventListener("click", () => {
  byId("filter").value = "";
  parallel.clear();
});
byId("filter").addEventListener("input", choose);
// Here a space is a space, and no key of the film.
byId("filter").addEventListener("keydown", (event) => event.stopPropagation());

function describe(trial) {
  const values = Object.keys(data.settings).map((name) => `${name} ${cellText(columns.find((each) => each.name === name).value(trial))}`);
  return [`trial ${numbers[trial]}: ${values.join(", ")} · `, bold(isMissing(score.value(trial)) ? ends[trial] : `${data.metric} ${cellText(score.value(trial))}`)];
}

function point(trial) {
  parallel.light(trial);
  for (const row of byId("trials").querySelectorAll("tr.lit")) row.classList.remove("lit");
  if (trial !== null) rowOf.get(trial)?.classList.add("lit");
  byId("lines-reading").replaceChildren(...(trial === null ? rangeTexts() : describe(trial)));
}

function rangeTexts() {
  const texts = axes.flatMap((axis, number) => {
    const range = parallel.ranges[number];
    if (!range) return [];
    if (!axis.choices.length) return [`${axis.name} ${range.map((place) => short(valueAt(axis, place), 3)).join(" to ")}`];
    const chosen = axis.choices.filter((_, at) => (at + 1) / axis.choices.length > range[0] && at / axis.choices.length < range[1]);
    return [`${axis.name} ${chosen.join(", ")}`];
  });
  return [texts.join(" · ") || "point at a line to read it"];
}

// ---- the table

let chosen = [], sorted = { column: score, isDown: data.is_higher_better }, shownRows = ROWS;
const rowOf = new Map(); // of the rows in the page, by trial

const cellText = (value) => (isMissing(value) ? "–" : typeof value === "number" ? short(value) : value);

function order(one, other) {
  const [first, second] = [sorted.column.value(one), sorted.column.value(other)];
  if (isMissing(first) || isMissing(second)) return isMissing(first) - isMissing(second) || one - other;
  const found = typeof first === "number" ? first - second : first.localeCompare(second, "en");
  return (sorted.isDown ? -found : found) || one - other;
}

const headings = columns.map((column) => {
  const isNumber = [...numbers.keys()].some((trial) => typeof column.value(trial) === "number");
  const heading = element("th", { scope: "col", className: isNumber ? "number" : "" }, element("button", { type: "button" }, column.name));
  heading.firstChild.addEventListener("click", () => {
    sorted = { column, isDown: sorted.column === column && !sorted.isDown };
    shownRows = ROWS;
    makeRows();
  });
  return heading;
});
const body = element("tbody");
byId("trials").append(element("thead", {}, element("tr", {}, element("th", { scope: "col", ariaLabel: "film" }), ...headings)), body);
byId("more").addEventListener("click", () => {
  shownRows *= 4;
  makeRows();
});

function makeRow(trial) {
  const film = element("td", {});
  const hasFilm = Boolean(filmOf(trial));
  const button = element("button", { type: "button", className: "film", title: hasFilm ? "play its film" : "how to film it" }, hasFilm ? "▶" : "…");
  button.ariaLabel = `${hasFilm ? "Play" : "How to film"} trial ${numbers[trial]}`;
  film.append(button);
  const row = element("tr", {}, film, ...columns.map(({ value }) => {
    const found = value(trial);
    return element("td", { className: typeof found === "number" ? "number" : "" }, cellText(found));
  }));
  row.addEventListener("click", () => pick(trial));
  row.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && point(trial));
  row.addEventListener("pointerleave", () => point(null));
  row.classList.toggle("picked", trial === picked);
  return row;
}

function makeRows() {
  headings.forEach((heading, at) => {
    if (columns[at] === sorted.column) heading.ariaSort = sorted.isDown ? "descending" : "ascending";
    else heading.removeAttribute("aria-sort");
  });
  const shown = [...chosen].sort(order).slice(0, shownRows);
  rowOf.clear();
  for (const trial of shown) rowOf.set(trial, makeRow(trial));
  body.replaceChildren(...rowOf.values());
  byId("more").hidden = shown.length === chosen.length;
  byId("more").textContent = `show more (${(chosen.length - shown.length).toLocaleString("en")} are hidden)`;
}

// Choose the trials that are in all ranges and pass the filter.
function choose() {
  const passes = tests();
  const flags = Uint8Array.from(numbers, (_, trial) => Number(parallel.isInRanges(trial) && passes.every((pass) => pass(trial))));
  chosen = [...flags.keys()].filter((trial) => flags[trial]);
  parallel.setChosen(flags);
  byId("clear").disabled = chosen.length === numbers.length && !byId("filter").value;
  byId("table-reading").textContent = `${chosen.length.toLocaleString("en")} of ${counted(numbers.length, "trial")}`;
  makeRows();
  point(null);
}

// ---- the film of a trial

const epochs = [...new Set([...films.values()].flatMap((film) => [...film.training.frameEpochs]))].sort((one, other) => one - other);
const FIT_POINTS = 300;
let picked = null, film = null, fit = null, fitX = [], transport = null;

function pick(trial) {
  picked = trial;
  for (const row of body.querySelectorAll("tr.picked")) row.classList.remove("picked");
  rowOf.get(trial)?.classList.add("picked");
  film = filmOf(trial) ?? null;
  byId("film").classList.toggle("empty", !film);
  byId("film-title").replaceChildren(...describe(trial));
  byId("film-note").textContent = film ? "" : "Only the best trials have a film. To film this one, train it alone: "
    + `fitreel run ${Object.keys(data.settings).map((name) => `--${name.replaceAll("_", "-")} ${columns.find((each) => each.name === name).value(trial)}`).join(" ")}`
    + ", with the other options of the sweep.";
  if (!film) {
    transport?.pause();
    return;
  }
  if (film.reel) fit = makeView(document.querySelector("#film .chart"), film.training);
  else makeFit(film.dataset);
  transport.go(0);
  transport.play();
}

function makeFit(dataset) {
  fitX = evenly(dataset.xRange, FIT_POINTS);
  fit = makeChart(document.querySelector("#film .chart"), {
    x: padded(dataset.xRange, 0.04),
    y: padded(dataset.yRange, 0.2, 0.1),
    data: [fitX, fitX.map(() => NaN)],
    series: [{ stroke: () => colours.line, width: 3 }],
    hooks: { drawAxes: (chart) => drawPoints(chart, dataset) },
  });
}

function show(place) {
  if (!film) return;
  const { training } = film, at = training.frameAt(epochs[place]);
  if (film.reel) fit.show(at);
  else fit.setData([fitX, fitX.map((x) => training.frames[at].predict(x))]);
  byId("moment").replaceChildren("epoch ", bold(training.frameEpochs[at].toLocaleString("en")), " · loss ", bold(lossText(training.frameLosses[at])));
  byId("scrub").setAttribute("aria-valuetext", `epoch ${training.frameEpochs[at].toLocaleString("en")}`);
}

choose();
if (films.size) {
  transport = new Transport(epochs.length, show);
  const best = [...chosen].sort(order).find((trial) => filmOf(trial));
  pick(best);
  transport.go(transport.last);
} else {
  byId("film").hidden = true;
  document.querySelector("main").classList.add("filmless");
}
