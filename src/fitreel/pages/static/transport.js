// The controls of a film: play, pause, step, slider, speed, keyboard.

const FRAMES_A_SECOND = 20;
const TEXT_FIELDS = "textarea, [contenteditable], input:not([type=range], [type=checkbox], [type=radio], [type=button])";

// Let keys do the same wherever the focus is; buttons and switches are pressed with the enter key.
function listen(keys) {
  let byMouse = false; // where the focus is, the mouse put it
  addEventListener("pointerdown", () => (byMouse = true));
  const isTaken = ({ key, target, ctrlKey, metaKey, altKey }) =>
    !Object.hasOwn(keys, key) || ctrlKey || metaKey || altKey || target.closest?.(TEXT_FIELDS)
    // A wide table that was reached by the tab key is scrolled.
    || (!byMouse && key !== " " && target.matches?.(".scroll") && target.scrollWidth > target.clientWidth)
    || (key === "Escape" && document.querySelector(":popover-open"));
  addEventListener("keydown", (event) => {
    if (event.key === "Tab") byMouse = false;
    if (event.key === "Enter" && event.target.matches?.("[type=checkbox]")) event.target.click();
    if (isTaken(event)) return;
    event.preventDefault();
    keys[event.key]();
  });
  // Firefox presses a button when the space bar comes up.
  addEventListener("keyup", (event) => event.key === " " && !isTaken(event) && event.preventDefault());
}

class Transport {
  // `keys` are more of them: the name of a key to what it does.
  constructor(frames, show, keys = {}) {
    this.scrub = byId("scrub");
    this.resize(frames);
    this.place = this.last;
    this.show = show;
    this.playing = false;
    this.scrub.addEventListener("input", () => this.go(this.scrub.valueAsNumber));
    const commands = { first: () => this.go(0), back: () => this.step(-1), play: () => this.toggle(),
      forward: () => this.step(1), last: () => this.go(this.last) };
    for (const [id, command] of Object.entries(commands)) byId(id).addEventListener("click", command);
    listen({ " ": commands.play, ArrowLeft: commands.back, ArrowRight: commands.forward,
      Home: commands.first, End: commands.last, ...keys });
  }

  // There are more or fewer frames from now on.
  resize(frames) {
    this.last = frames - 1;
    this.scrub.max = this.last;
  }

  go(place) {
    this.pause();
    this.move(place);
  }

  step(by) {
    this.go(this.place + by);
  }

  move(place) {
    this.place = Math.min(Math.max(Math.round(place), 0), this.last);
    this.scrub.value = this.place;
    this.show(this.place);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    this.mark(true);
    if (this.place === this.last) this.move(0);
    // By the clock: a slow machine skips frames, and the speed is the same.
    let before = performance.now(), due = 0;
    const tick = (now) => {
      if (!this.playing) return;
      due += ((now - before) / 1000) * FRAMES_A_SECOND * Number(byId("speed").value);
      before = now;
      if (due >= 1) {
        this.move(this.place + Math.floor(due));
        due %= 1;
      }
      if (this.place === this.last) this.pause();
      else requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  pause() {
    this.mark(false);
  }

  mark(playing) {
    this.playing = playing;
    document.body.classList.toggle("playing", playing);
    byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  }
}
