// The settings of "what if": a slider and a field for each, and the command that has them.

const DIGITS = 2; // of a rate that the slider picks

// Where a setting is on its slider, and back. A rate and a width count in ratios.
const SLIDERS = {
  lr: { to: Math.log10, from: (at) => Number((10 ** at).toPrecision(DIGITS)), range: [-4, 1], step: 0.05 },
  hidden: { to: Math.log2, from: (at) => Math.round(2 ** at), range: [0, 8], step: 0.1 },
  seed: { to: (value) => value, from: (at) => at, range: [0, 99], step: 1 },
};
const NAMES = { lr: "The rate", hidden: "The number of neurons", seed: "The seed" };

const { what_if: terms, settings } = data;
let chosen = { ...settings };

const field = (name) => byId(`new-${name}`);
const slider = (name) => document.querySelector(`#varied [data-of="${name}"]`);

// Why a number cannot be used, in a sentence; null if it can.
function problem(name, value) {
  const { least, most, above, text } = terms.ranges[name];
  const isInside = (least === null || value >= least) && (above === null || value > above) && value <= most;
  if (isInside && (name === "lr" || Number.isInteger(value))) return null;
  return `${NAMES[name]} must be ${name === "lr" ? "" : "a whole number "}${text}.`;
}

function change(name, value) {
  const wrong = name === "activation" ? null : problem(name, value);
  field(name).setAttribute("aria-invalid", wrong !== null);
  attempts++; // ends the training that may be on its way
  if (wrong) {
    byId("outcome").textContent = wrong;
    return;
  }
  chosen = { ...chosen, [name]: value };
  byId("command").textContent = command();
  if (hasAllPoints) trainAgain();
}

function command() {
  const { start, option, quote, end } = terms.command;
  const options = Object.keys(terms.defaults).filter((name) => chosen[name] !== terms.defaults[name]).map((name) => {
    const value = typeof chosen[name] === "string" ? quote + chosen[name] + quote : chosen[name];
    return option.replace("{name}", name).replace("{value}", value);
  });
  return start + options.join("") + end;
}

function showSettings() {
  for (const [name, { to }] of Object.entries(SLIDERS)) {
    slider(name).value = to(chosen[name]);
    field(name).value = chosen[name];
    field(name).setAttribute("aria-invalid", "false");
  }
  field("activation").value = chosen.activation;
  byId("command").textContent = command();
}

function reset() {
  attempts++;
  chosen = { ...settings };
  showSettings();
  showOther(null);
}

// The old way: in a frame of another page the newer one is refused, and says so in the console.
// Where this is refused as well, the text is selected.
function copy() {
  getSelection().selectAllChildren(byId("command"));
  byId("copy").textContent = document.execCommand("copy") ? "copied" : "selected: press Ctrl+C";
  setTimeout(() => (byId("copy").textContent = "copy"), 3000);
}

function listenToSettings() {
  for (const [name, { to, from, range: [low, high], step }] of Object.entries(SLIDERS)) {
    const at = to(settings[name]);
    Object.assign(slider(name), { min: Math.min(low, Math.floor(at)), max: Math.max(high, Math.ceil(at)), step });
    slider(name).addEventListener("input", () => {
      field(name).value = from(slider(name).valueAsNumber);
      change(name, field(name).valueAsNumber);
    });
    field(name).addEventListener("input", () => {
      slider(name).value = to(field(name).valueAsNumber);
      change(name, field(name).valueAsNumber);
    });
  }
  field("activation").append(...terms.activations.map((name) => element("option", { value: name, textContent: name })));
  field("activation").addEventListener("input", () => change("activation", field("activation").value));
  byId("reset").addEventListener("click", reset);
  byId("copy").addEventListener("click", copy);
}

if (terms) {
  listenToSettings();
  showSettings();
  byId("as-command").firstElementChild.textContent = terms.command.says;
  byId("outcome").textContent = invitation();
} else {
  byId("whatif").hidden = true; // the page does not know how the run was trained
}
