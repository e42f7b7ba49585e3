// The widget in a notebook: it keeps what the kernel sends, and hands it to the page in its frame.

const HEIGHT = 780; // pixels, as of all our pages in a notebook

export default () => {
  let last = 0, kept = []; // the number of the last message, and what a new frame needs
  const frames = new Set();
  const post = (content) => frames.forEach((frame) => frame.contentWindow?.postMessage(content, "*"));

  return {
    initialize({ model }) {
      model.on("msg:custom", ({ number, is_whole: isWhole, news }) => {
        if (isWhole) {
          if (number > last) post(news);
          kept = [news];
        } else if (number === last + 1) {
          post(news);
          kept.push(news);
        } else return; // some are missing, from before this listened: the next whole one has them
        last = number;
      });
    },

    render({ model, el }) {
      const frame = document.createElement("iframe");
      // Without the notebook's origin: its scripts reach nothing outside of it.
      frame.sandbox = "allow-scripts";
      Object.assign(frame.style, { width: "100%", height: `${HEIGHT}px`, border: "0" });
      const show = () => (frame.srcdoc = model.get("page"));
      const listen = ({ source, data }) => {
        if (source !== frame.contentWindow) return;
        if (data !== "ready") return;
        kept.forEach((news) => source.postMessage(news, "*"));
        frames.add(frame); // only now: before, it could not have listened
      };
      addEventListener("message", listen);
      model.on("change:page", show);
      show();
      el.append(frame);
      return () => {
        removeEventListener("message", listen);
        model.off("change:page", show);
        frames.delete(frame);
      };
    },
  };
};
