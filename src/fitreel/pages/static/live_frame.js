// The connection of a live page in a notebook: the widget around its frame hands on what comes.

const say = (text) => parent.postMessage(text, "*");
const leave = () => {};
const showPlayer = () => {}; // the notebook does

// A kernel that trains hears nothing before its cell ends, but for its interruption: no buttons.
const hint = element("p", { className: "soft", hidden: true }, "To stop the training, interrupt the kernel.");
document.querySelectorAll(".training button").forEach((button) => (button.hidden = true));
document.querySelector(".training").prepend(hint);

addEventListener("message", ({ source, data }) => {
  if (source !== parent) return;
  take(data);
  hint.hidden = state.phase !== "training";
});
say("ready");
