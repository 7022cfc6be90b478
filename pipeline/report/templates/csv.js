// Under each table a button that saves it as CSV, from the page alone: figures as shown, what stands small beside them
// (an interval, a note) in a column of its own.
{
  const trimmed = (text) => text.replace(/\s+/g, " ").trim();
  const figure = (text) => (/^[\d,]+$/.test(text) ? text.replaceAll(",", "") : text);
  const parts = (cell) => {
    const rest = cell.cloneNode(true);
    const small = [...rest.querySelectorAll("small")];
    small.forEach((one) => one.remove());
    rest.querySelectorAll("svg, button:not(th button)").forEach((one) => one.remove());
    rest.querySelectorAll("span, div").forEach((one) => one.after(" "));
    return [figure(trimmed(rest.textContent)), cell.dataset.csv ?? trimmed(small.map((one) => one.textContent).join("; "))];
  };
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const csv = (table) => {
    const rows = [...table.rows].map((row) => [...row.cells].flatMap((cell) => {
      const [main, beside] = parts(cell);
      return [[main, beside], ...Array(cell.colSpan - 1).fill(["", ""])];
    }));
    const noted = rows[0].map((_, column) => rows.some((row) => row[column]?.[1]));
    const line = (row, number) => row.flatMap(([main, beside], column) =>
      noted[column] ? [main, number ? beside : beside || `${main}, beside it`] : [main]);
    return rows.map((row, number) => line(row, number).map(quoted).join(",")).join("\r\n") + "\r\n";
  };
  for (const table of document.querySelectorAll(".scroll > table")) {
    const name = table.parentElement.getAttribute("aria-label");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "csv";
    button.textContent = "CSV";
    button.setAttribute("aria-label", `Save as CSV: ${name}`);
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob(["\ufeff", csv(table)], { type: "text/csv" }));
      link.download = `${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    });
    table.parentElement.after(button);
  }
}
