// The strip on top: what the page of the lineage, in a hidden frame, says of the run, where it tells of this one.
{
  const frame = document.querySelector("iframe[data-of]");
  addEventListener("message", (event) => {
    const told = event.data;
    if (!frame || event.source !== frame.contentWindow || typeof told !== "object") return;
    const strip = document.querySelector("#strip");
    const untold = strip.querySelector(".untold");
    if (told.of !== frame.dataset.of || !told.made) {
      untold.firstElementChild.textContent = told.of === frame.dataset.of
        ? "No record of this run is here: it was made elsewhere."
        : "trace.html beside this page tells of another run.";
      return;
    }
    for (const place of strip.querySelectorAll("[data-told]")) place.textContent = String(told[place.dataset.told] ?? "");
    for (const part of strip.children) part.hidden = part === untold;
  });
  if (frame) frame.src = `trace.html#${frame.dataset.of}`; // only now, or it might speak before anyone listens
}
