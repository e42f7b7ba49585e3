// The film of the page: all panels at a frame, and the keys.

views.push(() => {
  byId("moment").replaceChildren("epoch ", bold(epochText(place)), ...lossParts(training, place));
  byId("scrub").setAttribute("aria-valuetext", `epoch ${epochText(place)}`);
});

const transport = new Transport(training.frames.length, show, {
  Escape: () => pick(null),
  "+": () => addTo(added + 1),
  "-": () => addTo(added - 1),
});
transport.move(transport.last);
