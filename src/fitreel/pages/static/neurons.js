// The neurons: a chip for each, and in words what the picked one does.

const MOST_CHIPS = 1024;

const chips = [];
for (let neuron = 0; neuron < Math.min(training.hidden, MOST_CHIPS); neuron++) {
  const chip = element("button", { type: "button", textContent: neuron });
  chip.setAttribute("aria-pressed", "false");
  chip.addEventListener("click", () => pick(neuron === picked ? null : neuron));
  chips.push(chip);
}
byId("chips").append(...chips);

// As in a book: 0.964 · relu(−1.246 x + 0.303).
function formula(neuron) {
  const [weight, bias, output] = [frame.inputWeight[neuron], frame.bias[neuron], frame.outputWeight[neuron]];
  const plus = bias < 0 ? "−" : "+";
  return `${factor(output)} · ${training.activation}(${factor(weight)} x ${plus} ${factor(Math.abs(bias))})`;
}

const factor = (value) =>
  value === 0 || (Math.abs(value) >= 0.001 && Math.abs(value) < 1000) ? withMinus(value.toFixed(3)) : short(value, 3);

// Where a neuron bends, or that it is dead; one sentence or two.
function description(neuron) {
  const x = frame.kink(neuron), where = bold(short(x, 3));
  if (!training.hasKinks) {
    const verb = training.activation === "gelu" ? "bends most" : "is steepest";
    return isInside(x) ? [`It ${verb} at x `, where, "."] : [`It ${verb} outside, where no points are.`];
  }
  if (training.isDead(place, neuron, dataset.xRange)) return [death(neuron)];
  const shape = isInside(x) ? ["Active to the ", frame.inputWeight[neuron] < 0 ? "left" : "right", " of its kink at x ", where, "."]
    : ["Always active: its kink lies outside, so it adds a straight line."];
  const last = training.frames.length - 1;
  return training.isDead(last, neuron, dataset.xRange) ? [...shape, ` Dies at epoch ${epochText(deadFrom(last, neuron))}.`] : shape;
}

// The first of the frames up to a place through which a neuron is dead.
function deadFrom(at, neuron) {
  while (at > 0 && training.isDead(at - 1, neuron, dataset.xRange)) at--;
  return at;
}

function death(neuron) {
  const from = deadFrom(place, neuron);
  const back = training.frames.findIndex((_, at) => at > place && !training.isDead(at, neuron, dataset.xRange));
  if (back >= 0) return `Dead for now: no row activates it until epoch ${epochText(back)}.`;
  return from === 0 ? "Dead from the start: no row activates it." : `Died at epoch ${epochText(from)}: no row activates it any more.`;
}

function showChips() {
  let dead = 0;
  for (let neuron = 0; neuron < training.hidden; neuron++) {
    const kind = sign(neuron);
    if (kind === "dead") dead++;
    const chip = chips[neuron];
    if (!chip) continue;
    if (chip.className !== kind) {
      chip.className = kind;
      chip.setAttribute("aria-label", kind === "dead" ? `neuron ${neuron}, dead` : `neuron ${neuron}`);
    }
    const pressed = String(neuron === picked);
    if (chip.ariaPressed !== pressed) chip.ariaPressed = pressed;
  }
  byId("dead").replaceChildren(...(training.hasKinks ? [bold(dead), ` of ${training.hidden} dead`] : [counted(training.hidden, "neuron")]));
}

views.push(() => {
  showChips();
  byId("picked").replaceChildren(...(picked === null
    ? [element("p", {}, "Pick a neuron here or in the chart to light it up.")]
    : [element("p", {}, "Neuron ", bold(picked), " adds ", element("span", { className: "formula" }, formula(picked))),
      element("p", {}, ...description(picked))]));
});
