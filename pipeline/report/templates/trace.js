// A page of lineage: open and close all, search, a warning where the report of another run led here, and a word to a
// report that holds this page in a frame: when, where and by which revision it was made.
"use strict";
const all = () => [...document.querySelectorAll("details")];
const items = () => [...document.querySelectorAll("#chain > ol > li, #whole li")];
const initially = new Map(all().map((e) => [e, e.open]));

document.querySelector("#open").addEventListener("click", () => all().forEach((e) => { e.open = true; }));
document.querySelector("#close").addEventListener("click", () => all().forEach((e) => { e.open = false; }));

document.querySelector("#search").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  const holds = (e) => e.textContent.toLowerCase().includes(wanted);
  items().forEach((e) => { e.hidden = Boolean(wanted) && !holds(e) && !e.closest("li[data-hit]"); });
  // a line that is found by its own words shows all below it; one above it only leads there
  items().forEach((e) => {
    const own = e.querySelector(":scope > details > summary") ?? e;
    e.toggleAttribute("data-hit", Boolean(wanted) && holds(own));
  });
  items().forEach((e) => {
    if (wanted && e.parentElement.closest("li[data-hit]")) e.hidden = false;
  });
  all().forEach((e) => {
    e.open = wanted ? Boolean(e.querySelector("[data-hit]")) : initially.get(e);
  });
  const hits = document.querySelectorAll("[data-hit]").length;
  document.querySelector("#found").textContent = wanted ? `${hits} found` : "";
});

const led = location.hash.slice(1);
document.querySelector("#other").hidden = !led || !document.body.dataset.of || led === document.body.dataset.of;

const ran = JSON.parse(document.body.dataset.ran);
if (parent !== window) parent.postMessage({ of: document.body.dataset.of, ...ran }, "*");
