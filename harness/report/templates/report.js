"use strict";
const all = [...document.querySelectorAll("details.case")];
const state = {verdict: "", text: ""};

async function unpack(details) {
  const packed = details.querySelector("script");
  if (!packed) return;
  const bytes = Uint8Array.from(atob(packed.textContent), c => c.charCodeAt(0));
  const body = details.querySelector(".body");
  packed.remove();
  try {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    body.innerHTML = await new Response(stream).text();
  } catch (error) {
    body.textContent = "This browser cannot unpack the case; a newer one can. The evidence is in the run's directory.";
  }
}

function refresh() {
  const wanted = [...document.querySelectorAll(".filters select")].filter(s => s.value);
  let shown = 0;
  for (const details of all) {
    const fits = (!state.verdict || details.dataset.verdict === state.verdict)
      && (!state.text || state.text.split(/\s+/).every(word => details.dataset.search.includes(word)))
      && wanted.every(s => details.dataset[s.name] === s.value);
    details.hidden = !fits;
    shown += fits;
  }
  document.getElementById("count").textContent = `${shown} of ${all.length} cases`;
}

async function follow() {
  const name = decodeURIComponent(location.hash.slice(1));
  if (!name) return;
  const home = document.getElementById(name.split("-m")[0]);
  if (!home || !home.matches("details.case")) return;
  home.hidden = false;
  home.open = true;
  await unpack(home);
  const target = document.getElementById(name);
  for (let up = target; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
  if (target) target.scrollIntoView();
}

for (const details of all) details.addEventListener("toggle", () => details.open && unpack(details));
for (const button of document.querySelectorAll(".filters button")) button.addEventListener("click", () => {
  state.verdict = button.dataset.verdict;
  for (const other of document.querySelectorAll(".filters button")) other.setAttribute("aria-pressed", String(other === button));
  refresh();
});
for (const select of document.querySelectorAll(".filters select")) select.addEventListener("change", refresh);
const search = document.querySelector(".filters input");
search.addEventListener("input", () => { state.text = search.value.trim().toLowerCase(); refresh(); });
for (const row of document.querySelectorAll(".matrix tr.row")) row.addEventListener("click", event => {
  event.preventDefault();
  for (const select of document.querySelectorAll(".filters select")) {
    if (select.name === "row") select.value = row.dataset.row;
    if (select.name === "integration") select.value = row.dataset.integration;
  }
  refresh();
  document.getElementById("cases").scrollIntoView({behavior: "smooth"});
});
addEventListener("hashchange", follow);
refresh();
follow();
