// The controls of a film: play, pause, step, slider, speed, keyboard.

const FRAMES_A_SECOND = 20;

class Transport {
  constructor(frames, show) {
    this.last = frames - 1;
    this.place = this.last;
    this.show = show;
    this.playing = false;
    this.scrub = byId("scrub");
    this.scrub.max = this.last;
    this.scrub.addEventListener("input", () => this.go(this.scrub.valueAsNumber));
    const commands = { first: () => this.go(0), back: () => this.step(-1), play: () => this.toggle(),
      forward: () => this.step(1), last: () => this.go(this.last) };
    for (const [id, command] of Object.entries(commands)) byId(id).addEventListener("click", command);
    const keys = { " ": commands.play, ArrowLeft: commands.back, ArrowRight: commands.forward,
      Home: commands.first, End: commands.last };
    addEventListener("keydown", (event) => {
      const command = keys[event.key];
      if (!command || event.ctrlKey || event.metaKey || event.altKey) return;
      const { target } = event;
      if (target.closest?.("select, .scroll")) return;
      // On a button, a switch or a fold the space bar presses that.
      if (event.key === " " && target.matches?.("button:not(#play), input[type=checkbox], summary")) return;
      event.preventDefault();
      command();
    });
    // Firefox and Chromium press a button when the space bar comes up.
    byId("play").addEventListener("keyup", (event) => event.key === " " && event.preventDefault());
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
