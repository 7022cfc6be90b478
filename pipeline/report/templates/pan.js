// What is wider than its place scrolls sideways: it fades where more of it lies, and a line under it says so.
for (const box of document.querySelectorAll(".scroll, .reel, .pan, nav ul")) {
  const hint = document.createElement("p");
  hint.className = "more";
  hint.textContent = "Wider than shown: scroll sideways.";
  const look = () => {
    const room = box.scrollWidth - box.clientWidth;
    hint.hidden = room <= 1;
    box.toggleAttribute("data-left", box.scrollLeft > 1);
    box.toggleAttribute("data-right", box.scrollLeft < room - 1);
  };
  if (box.localName !== "ul") box.after(hint);
  box.addEventListener("scroll", look, { passive: true });
  const size = new ResizeObserver(look);
  for (const part of [box, ...box.children]) size.observe(part);
  look();
}
