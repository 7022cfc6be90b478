// Tables of class "sortable": a header becomes a button that sorts by its column; numbers fall first, words rise.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (head.classList.contains("unsorted")) return;
    const numeric = head.classList.contains("n");
    const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
    const number = (row) => Number(key(row).replaceAll(",", ""));
    const compare = numeric ? (a, b) => number(a) - number(b) : (a, b) => key(a).localeCompare(key(b), "en");
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const rises = before ? before === "descending" : !numeric;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rises ? "ascending" : "descending");
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort((a, b) => (rises ? compare(a, b) : compare(b, a))));
    });
  });
}
