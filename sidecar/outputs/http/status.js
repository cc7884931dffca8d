"use strict";
const EVERY = 1000, SLOWEST = 10000, PATIENCE = 5000, SHOWN = 20, RECENT = 10, FEW = 5, LISTED = 200;
const PHASES = {
  starting: ["calm", "Starting"], waiting: ["bad", "Not ready"], open: ["good", "Ready"],
  holding: ["warn", "Ready, but held open"], closed: ["bad", "Not ready any more"],
  draining: ["calm", "Going away"],
};
const REASONS = {
  starting: "it has not read every database yet",
  schema_current: "every required migration is applied",
  schema_ahead: "a newer release has migrated",
  schema_behind: "migrations are missing",
  history_inconsistent: "what is recorded contradicts the code",
  migrate_running: "a migrate run is still under way",
  database_unreachable: "the database cannot be reached",
  database_denied: "the database refuses the sidecar",
  database_timeout: "the database does not answer in time",
  draining: "the sidecar is about to stop",
};
const RANK = ["inconsistent", "behind", "unknown", "ahead", "current"];
const HUES = {current: "good", ahead: "calm", behind: "bad", inconsistent: "bad", unknown: "warn"};
const SURPRISES = {
  hidden: "Hidden: not applied, and overlooked by Django",
  lost: "Lost: their files and rows are gone, and nothing shows that they were applied",
  lost_harmless: "Lost, but harmless: later migrations are applied, or their app has moved",
  newer: "Newer: applied by a release that this one does not know",
  leftover: "Leftover: rows of files that were deleted or squashed",
  foreign: "Foreign: rows of apps that this release does not have",
  unrecorded: "Unrecorded: squashes that the next migrate will write down",
  optional_pending: "Optional, and pending",
};
const SVG = "http://www.w3.org/2000/svg";
const ICONS = {good: "#0a6b3b", warn: "#d98200", bad: "#c62828", calm: "#1769c0"};
let timer, asking, failures = 0, skew = 0, last = null, heard = null;

const $ = id => document.getElementById(id);
const now = () => Date.now() + skew;
function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat(9).filter(child => (child ?? false) !== false));
  return element;
}
/* A name may break after its underscores and dots, and is copied without the breaks. */
const named = key => h("code", {}, key.split(/(?<=[._])/).map(part => [part, h("wbr", {})]));
const some = count => (count === 1 ? "1 migration" : `${count} migrations`);

function span(seconds) {
  const s = Math.max(0, seconds);
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 100) return `${Math.round(s)} s`;
  if (s < 6000) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`;
}
const length = seconds => (seconds < 0.1 ? `${Math.round(seconds * 1000)} ms` : span(seconds));
const age = time => `${span(Math.floor((now() - Date.parse(time)) / 1000)).replace(".0", "")} ago`;
function ago(time) {
  if (!time) return "never";
  const clock = new Date(time).toLocaleString();
  return [h("time", {datetime: time, "data-age": ""}, age(time)), ` (${clock})`];
}

/* Replace what is inside an element only if its data have changed; open parts stay open. */
function show(id, data, build) {
  const place = $(id), text = JSON.stringify(data);
  if (place.dataset.shown === text) return;
  const opened = new Set([...place.querySelectorAll("details[open]")].map(e => e.dataset.key));
  const focused = document.activeElement?.parentElement?.dataset.key;
  place.dataset.shown = text;
  place.replaceChildren(...[build(data)].flat(9).filter(child => child));
  for (const details of place.querySelectorAll("details")) {
    if (opened.has(details.dataset.key)) details.open = true;
    if (focused && details.dataset.key === focused) details.firstChild.focus();
  }
}
function tick() {
  for (const time of document.querySelectorAll("[data-age]")) {
    const text = age(time.dateTime);
    if (time.textContent !== text) time.textContent = text;
  }
}
setInterval(() => document.hidden || tick(), 1000);

function keys(names, count = names.length) {
  const shown = names.slice(0, LISTED), rest = count - shown.length;
  return h("ul", {}, shown.map(name => h("li", {}, named(name))), rest > 0 && h("li", {}, `and ${rest} more`));
}
const schemas = found => found.count ?? 1;
const total = found => found.reduce((sum, one) => sum + schemas(one), 0);
const place = found => (found.schema ? `${found.database}, schema ${found.schema}`
  : schemas(found) > 1 ? `${found.database}, ${found.count} schemas` : found.database);
const folded = (key, title, content, more = {}) =>
  h("details", {"data-key": key, ...more}, h("summary", {}, title), content);

function why(gate) {
  return [
    h("p", {}, `${gate.reason}: ${REASONS[gate.reason] ?? ""}, since `, ago(gate.since)),
    gate.pending && h("p", {}, gate.pending),
    gate.holding && h("p", {}, `held open against ${gate.holding}: ${REASONS[gate.holding] ?? ""}`),
    h("p", {class: "todo"}, `Next: ${gate.next}`),
  ];
}
function facts(gate) {
  const pairs = [["Release", gate.release ?? "not named"], ["Manifest", h("code", {}, gate.manifest)],
    ["Django", gate.django], ["Sidecar started", ago(gate.started_at)],
    ["First open", gate.opened_at ? ago(gate.opened_at) : "not yet"]];
  return h("dl", {}, pairs.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}
function step(key, target) {
  const risks = target.risks?.[key] ?? [];
  return h("li", {}, h("div", {class: "row"}, named(key), h("div", {},
    (target.operations?.[key] ?? []).join(", "),
    risks.map(risk => h("div", {}, h("span", {class: "tag warn"}, "risk"), ` ${risk}`)))));
}
function pending(target) {
  const names = target.pending ?? [];
  if (!names.length) return null;
  const rest = names.slice(SHOWN);
  return [h("h3", {}, `Pending: ${some(names.length)}, in the order in which migrate runs them`),
    h("ol", {}, names.slice(0, SHOWN).map(key => step(key, target))),
    rest.length > 0 && folded(`pending ${place(target)}`, `and ${rest.length} more`,
      h("ol", {start: SHOWN + 1}, rest.slice(0, LISTED).map(key => step(key, target)),
        rest.length > LISTED && h("li", {}, `and ${rest.length - LISTED} more`)))];
}
function surprises(target) {
  const refused = [...(target.inconsistent ?? []).map(([child, parent]) => `${child} is applied before ${parent}`),
    ...(target.conflicts ?? []).map(group => `conflict between ${group.join(" and ")}`)];
  const about = place(target);
  return [refused.length > 0 && [h("h3", {}, "Refused by Django"), keys(refused)],
    Object.entries(SURPRISES).map(([name, title]) => target[name]?.length > 0
      && folded(`${name} ${about}`, `${title} (${target[name].length})`, keys(target[name]), ["hidden", "lost"].includes(name) ? {open: ""} : {})),
    target.duplicates > 0 && h("p", {}, `Rows recorded twice: ${target.duplicates}`)];
}
function run(migrate) {
  if (!migrate) return null;
  return [h("h3", {}, "A migrate run is under way"),
    h("p", {}, migrate.since ? ["since ", ago(migrate.since)] : "finishing its last statements",
      migrate.waiting > 0 && `; ${migrate.waiting} more wait for the migration lock`),
    migrate.blocked_since && h("p", {class: "bad"}, h("span", {class: "tag"}, "blocked"),
      " by a lock, since ", ago(migrate.blocked_since)),
    migrate.blockers.length > 0 && h("ul", {}, migrate.blockers.map(blocker => h("li", {},
      `held by process ${blocker.pid}, ${blocker.application || "without a name"}`,
      blocker.state && `, ${blocker.state}`, blocker.since && [", since ", ago(blocker.since)])))];
}
function holder(lock) {
  if (!lock || lock.trusted) return null;
  return h("p", {class: "bad"}, h("span", {class: "tag"}, "locked"),
    ` The migration lock is held by process ${lock.pid}, role ${lock.role ?? "unknown"}, who may not migrate`,
    lock.since && [", since ", ago(lock.since)], ": ", h("code", {}, `SELECT pg_terminate_backend(${lock.pid})`));
}
function bar(share) {
  const width = `${Math.max(1, share * 100)}%`, svg = document.createElementNS(SVG, "svg");
  const rect = document.createElementNS(SVG, "rect");
  svg.setAttribute("aria-hidden", "true");
  rect.setAttribute("width", width);
  rect.setAttribute("height", "100%");
  svg.append(rect);
  return h("span", {class: "took"}, svg);
}
function timeline(target) {
  const applied = [...(target.timeline ?? [])].reverse(), batch = target.batch;
  if (!applied.length) return null;
  const longest = Math.max(...applied.map(entry => entry.seconds ?? 0), 0.001);
  const entry = ({migration, applied: at, seconds}) => h("li", {}, h("div", {class: "row"}, named(migration),
    h("div", {}, seconds !== null && `took ${length(seconds)}, `, ago(at), seconds !== null && bar(seconds / longest))));
  return [h("h3", {}, "Applied, newest first"),
    batch && h("p", {}, batch.ended
      ? `The last batch: ${some(batch.migrations)} in ${span((Date.parse(batch.ended) - Date.parse(batch.began)) / 1000)}`
      : [`A batch is under way: ${some(batch.migrations)} so far, since `, ago(batch.began)]),
    h("ul", {}, applied.slice(0, RECENT).map(entry)),
    applied.length > RECENT && folded(`applied ${place(target)}`,
      `and ${applied.length - RECENT} before`, h("ul", {}, applied.slice(RECENT).map(entry)))];
}
function target(found, index) {
  const title = place(found), names = found.schemas ?? [];
  const known = found.expected !== undefined;
  return h("article", {class: HUES[found.verdict]},
    h("h2", {}, `${title} `, h("span", {class: "tag"}, found.verdict),
      found.required === false && h("span", {class: "quiet"}, " the gate does not depend on it")),
    h("p", {}, REASONS[found.reason] ?? found.reason, found.message && `: ${found.message}`,
      found.graph_error && `: ${found.graph_error}`, found.note && `; ${found.note}`),
    found.count > 1 && folded(`schemas ${title}`, "Which schemas", keys(names, found.count)),
    known && h("p", {}, `${found.applied} of ${found.expected} applied`,
      h("progress", {max: found.expected || 1, value: found.applied, "aria-label": `applied, ${title}`})),
    run(found.migrate), holder(found.lock_holder), pending(found), surprises(found), timeline(found),
    h("p", {class: "quiet", id: `read-${index}`}));
}
const readTimes = ({read_at, succeeded_at, last_applied, verdict}) => ["Read ", ago(read_at),
  verdict === "unknown" && [", last successful read ", ago(succeeded_at)],
  last_applied && [", last migrated ", ago(last_applied)]];
const worstFirst = all => [...all].sort((a, b) => RANK.indexOf(a.verdict) - RANK.indexOf(b.verdict));
/* Of many schemas those that are well are only counted. */
const inFull = sorted => (sorted.length <= FEW ? sorted.length
  : Math.min(SHOWN, Math.max(1, sorted.filter(({verdict}) => verdict !== "current").length)));
function targets(sorted) {
  const rest = sorted.slice(inFull(sorted));
  const counts = RANK.map(verdict => [total(rest.filter(one => one.verdict === verdict)), verdict]);
  return [sorted.slice(0, inFull(sorted)).map(target), rest.length > 0 && h("p", {},
    `and ${total(rest)} more: ${counts.filter(([n]) => n).map(pair => pair.join(" ")).join(", ")}`)];
}

function owed(all) {
  if (all.length === 1) return all[0].pending?.length > 0 ? `${some(all[0].pending.length)} pending` : "";
  const behind = all.filter(({pending = []}) => pending.length > 0);
  return behind.length > 0 ? `${total(behind)} of ${total(all)} schemas have migrations pending` : "";
}
function headline(text, hue) {
  if ($("headline").textContent !== text) $("headline").textContent = text;
  $("gate").className = hue;
  const dot = `<svg xmlns="${SVG}" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4" fill="${ICONS[hue]}"/></svg>`;
  const icon = `data:image/svg+xml,${encodeURIComponent(dot)}`;
  if ($("icon").href !== icon) $("icon").href = icon;
  document.title = `${text}: schema gate${last?.release ? ` of ${last.release}` : ""}`;
}
function shown(status) {
  const {targets: all, ...gate} = status, [hue, text] = PHASES[status.phase] ?? ["warn", status.phase];
  last = status;
  $("contact").hidden = true;
  document.body.className = "";
  headline(text, hue);
  show("why", {...gate, pending: owed(all)}, why);
  show("facts", gate, facts);
  // The times of a read change with every read: they alone must not rebuild what one reads.
  const sorted = worstFirst(all);
  const steady = sorted.map(({read_at, succeeded_at, read_seconds, ...rest}) => rest);
  show("targets", steady, targets);
  sorted.slice(0, inFull(sorted)).forEach((found, index) => show(`read-${index}`, found, readTimes));
  show("asked", "live", () => "Live, asked every second:");
  tick();
}
function lost(problem) {
  const known = last ? ` Last known: ${PHASES[last.phase]?.[1] ?? last.phase}.` : "";
  document.body.className = "stale";
  headline("Lost contact", "warn");
  show("asked", "lost", () => "Not live:");
  const since = heard ? ` What stands below is from ${heard.toLocaleTimeString()}.` : "";
  show("contact", [problem, known], () => `${problem}${known}${since} This page goes on asking.`);
  $("contact").hidden = false;
}
