// The fit: the points, the red line, the line without the picked neuron, and the value under the mouse.

const pickedFill = () => (picked === null ? "transparent" : `${colours[sign(picked)]}40`);
let pointedX = null;
const isNamed = dataset.feature !== "x" || dataset.target !== "y"; // drawn points are just x and y

const fit = makeChart(document.querySelector("#fit .chart"), {
  x: xAxis,
  y: padded(dataset.yRange, 0.2, 0.1),
  data: [lineX, ...Array(3).fill(lineX.map(() => NaN))],
  series: [
    { stroke: () => colours.line, width: 3 },
    { stroke: () => colours.ink, width: 1.5, dash: [6, 4], show: false },
    { stroke: () => colours.other, width: 2.5 },
  ],
  bands: [{ series: [1, 2], fill: pickedFill }, { series: [2, 1], fill: pickedFill }],
  axes: isNamed ? [axis(30, labelled(dataset.feature)), axis(52, labelled(dataset.target))] : undefined,
  sync: "x",
  hooks: {
    drawAxes: (chart) => drawPoints(chart, dataset, 1.15),
    draw: (chart) => {
      if (picked !== null && training.hasKinks) drawVertical(chart, frame.kink(picked), colours.ink, [2, 4]);
    },
  },
});

views.push(() => {
  const line = lineX.map((x) => frame.predict(x));
  const without = picked === null ? line.map(() => NaN) : line.map((y, i) => y - frame.contribution(picked, lineX[i]));
  fit.series[2].show = picked !== null;
  const otherFrame = other?.frames[place]; // none where that training has diverged
  fit.setData([lineX, line, without, lineX.map((x) => otherFrame?.predict(x) ?? NaN)]);
  byId("without").textContent = `without neuron ${picked}`;
  byId("added").textContent = `what neuron ${picked} adds`;
  byId("its-kink").hidden = picked === null || !isInside(frame.kink(picked));
  byId("area").className = `area ${picked === null ? "" : sign(picked)}`;
  showReading();
});

const dot = element("div", { className: "u-cursor-pt" });
fit.over.append(dot);

function showReading() {
  const x = pointedX === null ? null : shownX(pointedX, dataset.xRange);
  dot.hidden = x === null;
  if (x === null) {
    byId("fit-reading").replaceChildren(NO_READING);
    byId("contributions-reading").replaceChildren(picked === null ? "" : `neuron ${picked}`);
    return;
  }
  const y = frame.predict(x);
  byId("fit-reading").replaceChildren(`${dataset.feature} `, bold(withMinus(String(x))), `  predicted ${dataset.target} `, bold(precise(y)));
  const added = picked === null ? [] : [`neuron ${picked} adds `, bold(precise(frame.contribution(picked, x)))];
  byId("contributions-reading").replaceChildren(...added);
  const left = fit.valToPos(x, "x"), top = fit.valToPos(y, "y");
  Object.assign(dot.style, { background: colours.line, width: "9px", height: "9px", transform: `translate(${left}px, ${top}px) translate(-50%, -50%)` });
}

// A chart over x, at which the fit can be read.
function readAt(chart) {
  onPointer(chart, (x) => {
    pointedX = x;
    if (frame) showReading();
  });
}

readAt(fit);
