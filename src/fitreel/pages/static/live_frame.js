// The connection of a live page in a notebook: the widget around its frame hands on what comes.

const ask = (command) => parent.postMessage(command, "*");
const leave = () => {};
const showPlayer = () => {}; // the notebook does

// A kernel that trains reads nothing until its cell ends, unless its notebook has a way beside it:
// the buttons are there once it has answered.
document.body.classList.add("unheard");
const hint = element("p", { className: "soft" }, "To stop the training, interrupt the kernel.");
document.querySelector(".training").prepend(hint);

addEventListener("message", ({ source, data }) => {
  if (source !== parent) return;
  if (data.hears) {
    document.body.classList.remove("unheard");
    hint.remove();
  }
  take(data);
  hint.hidden = state.phase !== "training";
});
ask("ready");
