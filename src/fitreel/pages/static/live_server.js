// The connection of a live page to its server: news as they come, and the finished player at the end.

const source = new EventSource("events");
source.addEventListener("open", () => (isLost = false));
source.addEventListener("message", (event) => take(JSON.parse(event.data)));
source.addEventListener("error", () => {
  isLost = true;
  showState();
});

const leave = () => source.close();
const showPlayer = () => location.reload();

async function ask(command) {
  const answer = await fetch("control", { method: "POST", body: command });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
}
