"use strict";
const all = [...document.querySelectorAll("details.case")];
const form = document.querySelector("form.filters");
const groups = [...document.querySelectorAll("details.group")];
let words = null;   // of each case what a search goes through, once somebody searches

async function inflate(packed) {
  const bytes = Uint8Array.from(atob(packed), c => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

// In a run of very many cases they lie in scripts beside the page, some in each: nothing else may be loaded from a file.
const loaded = {};
function part(name, packed) { loaded[name] = packed; }

async function load(name, file) {
  if (!(name in loaded)) await new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = `${PARTS}/${file}.js`;
    script.onload = () => { script.remove(); done(); };
    script.onerror = () => failed(new Error(`${PARTS} is not beside this page`));
    document.head.append(script);
  });
  const packed = loaded[name];
  delete loaded[name];
  return packed;
}

// A case that stands in the page as it is; at once, since printing does not wait.
function instantiate(details) {
  const whole = details.querySelector(":scope > template");
  if (!whole) return;
  details.querySelector(".body").append(document.importNode(whole.content, true));   // a recording loads in a page alone
  whole.remove();
}

async function unpack(details) {
  instantiate(details);
  const body = details.querySelector(".body");
  if (body.childElementCount || details.dataset.loading) return;
  details.dataset.loading = "yes";
  const inline = details.querySelector(":scope > script");
  try {
    body.innerHTML = await inflate(inline ? inline.textContent : await load(details.id, details.dataset.part));
    inline?.remove();
  } catch (error) {
    body.textContent = `This case cannot be shown: ${error.message}. The evidence is in the run's directory.`;
  }
  delete details.dataset.loading;
}

// Filters: the form is the state, the address holds it.

function chosen() {
  return Object.fromEntries([...new FormData(form)].filter(([, value]) => value.trim()).map(([name, value]) => [name, value.trim()]));
}

function fits(details, wanted) {
  return Object.entries(wanted).every(([name, value]) => {
    if (name === "q") return true;
    if (name === "dialled" || name === "cause") return details.dataset[name].split(" ").includes(value);
    if (name === "owner") return details.dataset.owner.split("\n").includes(value);   // a case with two causes may be two people's
    return (details.dataset[name] ?? details.getAttribute("data-x-" + name)) === (value === "–" ? "" : value);
  });
}

async function refresh() {
  const wanted = chosen();
  if (wanted.q && !words) words = JSON.parse(await inflate(document.getElementById("index")?.textContent ?? await load("index", "index")));
  // each word, and what stands in quotes as it is: names have blanks
  const asked = (wanted.q?.toLowerCase().match(/"[^"]+"|\S+/g) ?? []).map(one => one.length > 2 ? one.replace(/^"(.*)"$/, "$1") : one);
  let shown = 0;
  all.forEach((details, index) => {
    const hit = fits(details, wanted) && asked.every(word => words[index].includes(word));
    details.hidden = !hit;
    shown += hit;
  });
  const filtered = Object.keys(wanted).length > 0;
  for (const group of groups) {
    group.hidden = !group.querySelector("details.case:not([hidden])");
    group.open = filtered || group.dataset.open === "yes";   // of a row that passed the heading is enough
  }
  document.getElementById("count").textContent = `${shown} of ${all.length} cases`;
  // what somebody chose prints whole, and printing does not wait
  const chose = all.filter(details => !details.hidden && details.dataset.verdict !== "passed");
  if (filtered && chose.length <= MOST_PRINTED) await Promise.all(chose.map(unpack));
}

function filterAddress() { return "#" + new URLSearchParams(chosen()); }

async function remember() {
  sayUnknown();
  history.replaceState(null, "", filterAddress());
  await refresh();
  const cases = document.getElementById("cases");
  if (cases.getBoundingClientRect().top > innerHeight - 160) cases.scrollIntoView();   // what was found is to be seen
}

// What the address names and the report lacks, in a line.
function sayUnknown(...words) {
  const line = document.getElementById("unknown");
  line.textContent = words.map(word => `${word} is not in this report`).join("; ");
  if (words.length) line.scrollIntoView({ block: "nearest" });
}

// The case or cause that the address names: Back closes it.
let current = null;

function named(name) {
  const home = document.getElementById(name) ?? document.getElementById(name.replace(/-m\d+$/, ""));
  return home?.closest("details.case, details.problem") ?? null;
}

async function follow() {
  const hash = location.hash.slice(1);
  const before = current;
  let name = hash;
  try { name = decodeURIComponent(hash); } catch { /* as it was typed */ }
  sayUnknown();
  current = hash === "" || hash.includes("=") ? null : named(name);
  if (before && before !== current) before.open = false;
  if (hash === "" || hash.includes("=")) {
    const given = new URLSearchParams(hash);
    for (const field of form.elements) if (field.name) field.value = given.get(field.name) ?? "";
    await refresh();
    for (const more of document.querySelectorAll("details.others")) if ([...more.querySelectorAll("select")].some(one => one.value)) more.open = true;
    if (hash && !before) document.getElementById("cases").scrollIntoView();
    else before?.scrollIntoView({ block: "nearest" });
    sayUnknown(...[...given].filter(([field, value]) => (form.elements[field]?.value ?? "") !== value).map(([field, value]) => `${field} “${value}”`));
    return;
  }
  await refresh();
  if (!current && !document.getElementById(name)) sayUnknown(`“${name}”`);
  if (!current) return;
  current.open = true;
  if (current.matches(".case")) {
    current.hidden = current.parentElement.hidden = false;
    current.parentElement.open = true;
    await unpack(current);
  }
  const target = document.getElementById(name);
  for (let up = target; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
  if (!target) return;
  measure();
  // the page's own padding clears the filters, this the heading of the case's row
  target.style.scrollMarginTop = `${target.closest("details.group")?.firstElementChild.offsetHeight ?? 0}px`;
  target.scrollIntoView();
}

// A reader, not a program, opens one: the address then names it.
document.addEventListener("click", event => {
  const details = event.target.closest("summary")?.parentElement;
  if (!details?.matches("details.case, details.problem[id]")) return;
  const opens = !details.open;
  if (opens || details === current) history.pushState(null, "", opens ? "#" + details.id : filterAddress());
  current = opens ? details : details === current ? null : current;
});

// Listen: plays in place the recording that shows a cause.

let playing = null;

async function listen(button) {
  const wasPlaying = playing?.button === button;
  playing?.stop();
  if (wasPlaying) return;
  const details = document.getElementById(button.dataset.listen);
  await unpack(details);
  const audio = [...details.querySelectorAll("audio")].find(one => one.dataset.leg === button.dataset.leg);
  if (!audio) return;
  const label = button.textContent;
  const stop = () => { audio.pause(); button.textContent = label; playing = null; };
  playing = { button, stop };
  button.textContent = "■ Stop";
  audio.addEventListener("ended", stop, { once: true });
  audio.currentTime = 0;
  audio.play().catch(stop);
}

// One cursor through time line, players and ladder.

function move(body, at) {
  const line = body.querySelector("svg.timeline .cursor");
  if (line) {
    const picture = line.ownerSVGElement;
    const x = Number(picture.dataset.left) + at * Number(picture.dataset.scale);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
  }
  const mark = body.querySelector("svg.ladder .cursor");
  if (!mark) return;
  const places = JSON.parse(mark.ownerSVGElement.dataset.places);
  let after = places.findIndex(([when]) => when > at);
  if (after < 0) after = places.length;
  if (!places.length) return;
  let y = places[Math.max(0, after - 1)][1];
  if (after > 0 && after < places.length) {
    const [[t0, y0], [t1, y1]] = [places[after - 1], places[after]];
    y = y0 + (y1 - y0) * (at - t0) / (t1 - t0 || 1);
  }
  mark.setAttribute("y1", y);
  mark.setAttribute("y2", y);
}

document.addEventListener("timeupdate", event => {
  const audio = event.target;
  const body = audio.closest?.(".body");
  if (body) move(body, Number(audio.dataset.offset) + audio.currentTime);
}, true);

document.addEventListener("click", event => {
  const heard = event.target.closest("[data-listen]");
  if (heard) return void listen(heard);
  const copy = event.target.closest("[data-copy], [data-link]");
  if (copy) {
    const { link } = copy.dataset;
    const text = link ? `${location.href.split("#")[0]}#${link}` : copy.dataset.copy;
    const label = copy.dataset.label ??= copy.textContent;
    const done = () => { copy.textContent = "Copied"; setTimeout(() => copy.textContent = label, 1500); };
    const choose = () => {
      if (link) copy.previousElementSibling.textContent = text;
      getSelection().selectAllChildren(copy.previousElementSibling);
    };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, choose);
    else choose();   // a page that came over plain HTTP has none
    return;
  }
  const picture = event.target.closest("svg.timeline");
  if (picture) {
    const at = (event.clientX - picture.getBoundingClientRect().left - Number(picture.dataset.left)) / Number(picture.dataset.scale);
    const body = picture.closest(".body");
    for (const audio of body.querySelectorAll("audio")) audio.currentTime = Math.max(0, at - Number(audio.dataset.offset));
    move(body, Math.max(0, at));
  }
});

// Printing: one case of each cause prints whole, or all that a filter has chosen.

let opened = [];
addEventListener("beforeprint", () => {
  all.forEach(instantiate);
  const fell = all.filter(details => !details.hidden && details.dataset.verdict !== "passed");
  const whole = Object.keys(chosen()).length > 0 && fell.length <= MOST_PRINTED ? fell : fell.filter(details => "first" in details.dataset);
  opened = whole.filter(details => !details.open && details.querySelector(".body").childElementCount);
  opened.push(...document.querySelectorAll("details.problem:not([open]), #unverified details:not([open]), .why details:not([open]), .skipped details:not([open]), details.grid:not([open]), .case .fold:not(.messages, [open])"));
  for (const details of opened) details.open = true;
});
addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
document.getElementById("unpack").addEventListener("click", async () => {
  for (const details of all) if (!details.hidden) { await unpack(details); details.open = details.parentElement.open = true; }
});

// The matrix is one stop of the keyboard; arrow keys lead through its cells.

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
for (const table of document.querySelectorAll("table.matrix")) {
  const rows = [...table.tBodies[0].rows];
  [...table.querySelectorAll("a")].forEach((link, index) => link.tabIndex = index ? -1 : 0);
  table.addEventListener("keydown", event => {
    const step = STEPS[event.key];
    let cell = event.target.closest("a")?.parentElement;
    if (!step || !cell) return;
    let [row, column] = [rows.indexOf(cell.parentElement), cell.cellIndex];
    do cell = rows[row += step[0]]?.cells[column += step[1]]; while (cell && !cell.querySelector("a"));
    cell?.querySelector("a").focus();
    event.preventDefault();
  });
}

const narrow = matchMedia("(max-width:720px)").matches;
const grids = document.querySelectorAll("details.grid");
if (grids.length > 1 && narrow) for (const grid of grids) grid.open = false;
if (!PARTS) all.forEach(instantiate);   // so that the browser's own search finds them
document.getElementById("list").addEventListener("toggle", event => event.target.matches("details.case[open]") && unpack(event.target), true);
if (narrow) document.querySelector("details.choices").open = false;
addEventListener("resize", measure);
function measure() { document.documentElement.style.setProperty("--bar", `${form.offsetHeight}px`); }
measure();
addEventListener("keydown", event => {
  if (event.key !== "/" || event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  form.elements.q.focus();
});
form.addEventListener("submit", event => { event.preventDefault(); document.getElementById("cases").scrollIntoView(); });
form.addEventListener("input", remember);
form.addEventListener("reset", () => setTimeout(remember));
addEventListener("hashchange", follow);
follow();
