// The views of a reel: curve, field, regions, agreement and confidence, on a chart.

const CONFIDENCE_WIDTH = 0.86; // of a class, filled with its rows
const MOST_TICKS = 12; // names of classes below an axis
const MOST_BORDERS = 60; // between classes

function mark(ctx, shape, x, y, size) {
  ctx.beginPath();
  if (shape === "circle") ctx.arc(x, y, size, 0, 2 * Math.PI);
  if (shape === "diamond") [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]].forEach(([right, down]) => ctx.lineTo(x + right * size, y + down * size));
  if (shape !== "cross") return ctx.closePath();
  for (const way of [-1, 1]) {
    ctx.moveTo(x - size, y - way * size);
    ctx.lineTo(x + size, y + way * size);
  }
}

// Draw a mark for each row, the training rows first, and crosses on those that are wrong.
function drawMarks(chart, reel, place, size, positions, fill) {
  drawing(chart, (ctx, left, top, ratio) => {
    const isMoving = !reel.grid, radius = size * ratio * (isMoving ? 2.8 : 3.6);
    ctx.lineWidth = ratio * size;
    ctx.strokeStyle = colours.panel;
    chart.marks = positions.map(({ x, y, row }) => ({ row, x: left(x), y: Math.min(Math.max(top(y), chart.bbox.top), chart.bbox.top + chart.bbox.height) }));
    for (const { row, x, y } of chart.marks) {
      ctx.fillStyle = fill(row);
      mark(ctx, reel.isTest(row) ? "diamond" : "circle", x, y, radius);
      if (!isMoving) ctx.stroke();
      ctx.fill();
    }
    if (!reel.predicted) return;
    ctx.strokeStyle = isMoving ? colours.ink : "#000000";
    ctx.lineWidth = 1.4 * ratio * size;
    for (const { row, x, y } of chart.marks) {
      if (!reel.isWrong(place, row)) continue;
      mark(ctx, "cross", x, y, 1.15 * radius);
      ctx.stroke();
    }
  });
}

const rowPlaces = (reel) => [...reel.targets.keys()];

const bandOf = (reel, value) => {
  const bands = reel.levels.length - 1, share = (value - reel.low) / (reel.high - reel.low);
  return Math.min(Math.max(Math.floor(share * bands), 0), bands - 1);
};

// Where each row is: in its class, those of the training part and of the test part sorted apart.
function sortedRows(reel, place) {
  const values = reel.at(place), found = [];
  for (const isTest of [false, true]) {
    const groups = reel.classes.map(() => []);
    for (const row of rowPlaces(reel)) if (reel.isTest(row) === isTest) groups[reel.targets[row]].push(row);
    groups.forEach((rows, group) => {
      rows.sort((one, other) => values[one] - values[other]);
      rows.forEach((row, rank) => found.push({ row, x: group + 0.5 + CONFIDENCE_WIDTH * ((rank + 0.5) / rows.length - 0.5), y: reel.number(values[row]) }));
    });
  }
  return found;
}

const DRAWN = {
  curve(chart, reel, place, size) {
    drawPoints(chart, reel.points, 1.05 * size);
    const values = reel.at(place);
    drawing(chart, (ctx, left, top, ratio) => {
      ctx.strokeStyle = colours.line;
      ctx.lineWidth = 2.7 * size * ratio;
      ctx.lineJoin = "round";
      ctx.beginPath();
      reel.line.forEach((x, at) => ctx.lineTo(left(x), top(reel.number(values[at]))));
      ctx.stroke();
    });
    drawWhere(chart, reel, values);
  },
  field(chart, reel, place, size) {
    paintRaster(chart, reel, place);
    const [x, y] = reel.inputs;
    drawMarks(chart, reel, place, size, rowPlaces(reel).map((row) => ({ row, x: x[row], y: y[row] })), (row) => reel.hues[bandOf(reel, reel.targets[row])]);
  },
  regions(chart, reel, place, size) {
    paintRaster(chart, reel, place);
    const [x, y] = reel.inputs;
    drawMarks(chart, reel, place, size, rowPlaces(reel).map((row) => ({ row, x: x[row], y: y[row] })), (row) => reel.hue(reel.targets[row]));
  },
  agreement(chart, reel, place, size) {
    drawing(chart, (ctx, left, top, ratio) => {
      ctx.strokeStyle = colours.line;
      ctx.lineWidth = 1.5 * ratio;
      ctx.beginPath();
      ctx.moveTo(left(reel.low), top(reel.low));
      ctx.lineTo(left(reel.high), top(reel.high));
      ctx.stroke();
    });
    const values = reel.at(place);
    drawMarks(chart, reel, place, size, rowPlaces(reel).map((row) => ({ row, x: reel.targets[row], y: reel.number(values[row]) })), (row) => (reel.isTest(row) ? colours.test : colours.points));
  },
  confidence(chart, reel, place, size) {
    const classes = reel.classes.length;
    // Above one half no other class can be likelier, below 1/classes one must be.
    drawHorizontal(chart, 1 / classes, "wrong below", colours.soft);
    if (classes > 2) drawHorizontal(chart, 1 / 2, "right above", colours.soft, true);
    if (classes <= MOST_BORDERS) for (let place = 1; place < classes; place++) drawVertical(chart, place, colours.grid);
    drawMarks(chart, reel, place, size, sortedRows(reel, place), (row) => reel.hue(reel.targets[row]));
  },
};

// Where the line is, if no part of it is in the picture.
function drawWhere(chart, reel, values) {
  const [low, high] = reel.yRange, numbers = Array.from(values, (each) => reel.number(each));
  const isAbove = numbers.every((each) => each > high);
  if (!isAbove && !numbers.every((each) => each < low)) return;
  drawing(chart, (ctx, left, top, ratio) => {
    const { bbox } = chart;
    ctx.font = `${13 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    ctx.fillStyle = colours.line;
    ctx.fillText(isAbove ? "▲ the line is above" : "▼ the line is below", bbox.left + bbox.width / 2, bbox.top + (isAbove ? 18 * ratio : bbox.height - 10 * ratio));
  });
}

function limitsOf(reel) {
  if (reel.yRange) return [reel.xRange, reel.yRange];
  return reel.classes.length ? [[0, reel.classes.length], [-0.03, 1.03]] : Array(2).fill([reel.low, reel.high]);
}

// The names at the axes; names from outside are drawn as text.
function namesOf(reel) {
  if (reel.grid) return reel.features;
  if (reel.line) return [reel.features[0], reel.target];
  return reel.classes.length ? [reel.target, "probability of the true class"] : [`actual ${reel.target}`, `predicted ${reel.target}`];
}

function viewAxes(reel) {
  const [x, y] = namesOf(reel);
  if (reel.line && x === "x" && y === "y") return undefined; // no names of their own
  const isConfidence = reel.kind === "confidence", classes = reel.classes.length;
  const names = isConfidence ? {
    splits: () => reel.classes.map((_, place) => place + 0.5),
    values: () => reel.classes.map((name) => (classes > MOST_TICKS ? "" : name.length > 84 / classes ? `${name.slice(0, Math.max(1, 84 / classes))}…` : name)),
    grid: { show: false }, ticks: { show: false },
  } : {};
  return [axis(26, { ...labelled(x), ...names }), axis(56, labelled(y))];
}

// A chart that shows a reel: `show` a frame; `size` is that of the marks.
function makeView(parent, reel, { size = 1, axes = viewAxes(reel) } = {}) {
  const view = { place: reel.frameEpochs.length - 1 };
  const [x, y] = limitsOf(reel);
  view.chart = makeChart(parent, {
    x, y, axes,
    data: [x, [null, null]],
    series: [{ show: false }],
    hooks: { drawAxes: (chart) => DRAWN[reel.kind](chart, reel, view.place, size) },
  });
  if (reel.line) {
    view.dot = element("div", { className: "u-cursor-pt dot-of-line", hidden: true });
    view.chart.over.append(view.dot);
  }
  view.show = (at) => {
    view.place = at;
    view.chart.redraw(false);
  };
  return view;
}

// The row whose mark is nearest to the mouse, if it is near.
function markAt(chart) {
  const ratio = devicePixelRatio || 1;
  const x = chart.cursor.left * ratio + chart.bbox.left, y = chart.cursor.top * ratio + chart.bbox.top;
  let found = null, least = 12 * ratio;
  for (const each of chart.marks ?? []) {
    const distance = Math.hypot(each.x - x, each.y - y);
    if (distance < least) [found, least] = [each.row, distance];
  }
  return found;
}

// A prediction of a curve as text: with the digits that its steps allow, and at an end what is known.
function curveReading(reel, value) {
  const step = (reel.high - reel.low) / STEPS, digits = Math.max(0, -Math.floor(Math.log10(step)) - 1);
  const text = withMinus(digits > 8 ? value.toPrecision(4) : value.toFixed(digits));
  return value > reel.high - step ? `above ${text}` : value < reel.low + step ? `below ${text}` : text;
}

const reading = (value) => withMinus(String(Number(value.toPrecision(5))));

// What the line predicts at the mouse, with a dot there.
function readLine({ chart, place, dot }, reel) {
  const { left } = chart.cursor, x = left < 0 ? null : shownX(chart.posToVal(left, "x"), reel.xRange);
  const value = x === null ? null : reel.valueAt(place, x);
  dot.hidden = value === null;
  if (value === null) return [x === null ? NO_READING : "no prediction here"];
  const at = [chart.valToPos(x, "x"), chart.valToPos(value, "y")].map((each) => `${each}px`);
  dot.style.transform = `translate(${at.join(", ")}) translate(-50%, -50%)`;
  dot.style.background = colours.line;
  return [`${reel.features[0]} `, bold(withMinus(String(x))), `  predicted ${reel.target} `, bold(curveReading(reel, value))];
}

// What is under the mouse, as parts of a text.
function readView(view, reel) {
  const { chart, place } = view;
  if (reel.line) return readLine(view, reel);
  if (chart.cursor.left < 0) return [reel.grid ? NO_READING : "point at a row to read it"];
  if (reel.grid) {
    const x = chart.posToVal(chart.cursor.left, "x"), y = chart.posToVal(chart.cursor.top, "y");
    const values = valuesAt(reel, place, x, y), [first, second] = reel.features;
    const where = [`${first} `, bold(reading(x)), `  ${second} `, bold(reading(y)), "  "];
    if (reel.kind === "field") return [...where, `predicted ${reel.target} `, bold(reading(values[0]))];
    const all = reel.classes.length === 2 ? [1 - values[0], values[0]] : values;
    const winner = all.indexOf(Math.max(...all));
    return [...where, `${reel.classes[winner]} `, bold(`${(100 * all[winner]).toFixed(1)} %`)];
  }
  const row = markAt(chart);
  if (row === null) return ["point at a row to read it"];
  const part = reel.isTest(row) ? "test row: " : "training row: ", value = reel.number(reel.at(place)[row]);
  if (reel.kind === "agreement") return [part, "actual ", bold(reading(reel.targets[row])), "  predicted ", bold(reading(value))];
  return [part, `${reel.classes[reel.targets[row]]} `, bold(`${(100 * value).toFixed(1)} %`), "  predicted ", bold(reel.classes[reel.classOf(place, row)])];
}
