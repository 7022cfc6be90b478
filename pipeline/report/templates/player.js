// The scored videos: played in a dialog, from the page or from beside it, and filtered by action.
{
  const player = document.querySelector("#player");
  const clips = player ? JSON.parse(document.querySelector("#clips").textContent) : {};
  const part = (name) => player.querySelector(name);
  const open = (button) => {
    const clip = clips[button.dataset.video];
    part("#playing").textContent = button.dataset.video;
    part("video").src = clip ? `data:video/mp4;base64,${clip.clip}` : button.dataset.path;
    part("#heard").hidden = !clip?.heard;
    if (clip?.heard) {
      const picture = part("#heard img") ?? document.createElement("img");
      picture.alt = "Log-mel of what VGGish heard";
      picture.src = `data:image/webp;base64,${clip.heard}`;
      part("#heard").prepend(picture);
    }
    part("#told").textContent = clip ? (clip.heard ? "" : "It has no sound.") : `Played from ${button.dataset.path}`;
    player.showModal();
    part("video").play().catch(() => {}); // a browser may want another press; one that cannot play says so below
  };
  for (const button of document.querySelectorAll("button.play")) button.addEventListener("click", () => open(button));
  if (player) {
    part("video").addEventListener("error", () => {
      if (player.open) part("#told").textContent = "This clip is not on the page, and its file is not where the page looks for it, beside the page.";
    });
    part("button").addEventListener("click", () => player.close());
    player.addEventListener("close", () => {
      if (player.open) return; // the event comes late: another video may be playing by now
      part("video").pause();
      part("video").removeAttribute("src");
    });
    const wanted = document.querySelector("#wanted");
    wanted.addEventListener("change", () => {
      const rows = [...document.querySelectorAll("table.videos tbody tr")];
      rows.forEach((row) => { row.hidden = Boolean(wanted.value) && !row.dataset.actions.split("|").includes(wanted.value); });
      document.querySelector("#kept").textContent = wanted.value ? `${rows.filter((row) => !row.hidden).length} videos` : "";
    });
  }
  const unfold = () => { document.querySelector(`details[id="${location.hash.slice(1)}"]`)?.setAttribute("open", ""); };
  addEventListener("hashchange", unfold);
  unfold();
}
