class Refused extends Error {}
async function ask() {
  clearTimeout(timer);
  asking?.abort();
  if (document.hidden) return;
  const mine = asking = new AbortController();
  const limit = setTimeout(() => mine.abort("slow"), PATIENCE);
  try {
    const answer = await fetch("status", {cache: "no-store", signal: mine.signal});
    if (answer.status === 401) throw new Refused("The sidecar wants its token again: load the page anew.");
    if (!answer.ok) throw new Refused(`The sidecar answers ${answer.status}.`);
    const status = await answer.json(), date = Date.parse(answer.headers.get("Date") ?? "");
    skew = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0;
    failures = 0;
    heard = new Date();
    shown(status);
  } catch (error) {
    if (mine !== asking || document.hidden) return;
    failures += 1;
    // A single failure may be a connection that the server ended in its own time.
    const problem = error instanceof Refused ? error.message : "The sidecar does not answer.";
    if (failures > 1 || error instanceof Refused) lost(problem);
  } finally {
    clearTimeout(limit);
    if (mine === asking && !document.hidden) {
      const pause = failures > 1 ? Math.min(EVERY * 2 ** (failures - 2), SLOWEST) : EVERY;
      timer = setTimeout(ask, failures === 1 ? 100 : pause);
    }
  }
}
document.addEventListener("visibilitychange", ask);
ask();
