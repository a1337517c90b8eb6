// The titles of a sortable table become buttons that sort by their column: by the first number of
// its cells where they begin with one, else by text. Cells without a value stay last.
const keyOf = (row, column) => {
  const text = row.cells[column].textContent.trim();
  const number = text.replace(/,/g, "").match(/^[±<]?([-+]?\d+(\.\d+)?(e[-+]?\d+)?)/);
  return text === "–" ? null : number ? Number(number[1]) : text;
};
const order = (a, b, sign) => {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return sign * (typeof a === "number" ? a - b : a.localeCompare(b));
};
for (const table of document.querySelectorAll("table.sortable")) {
  const titles = [...table.tHead.rows[0].cells];
  for (const title of titles) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...title.childNodes);
    title.append(button);
    button.onclick = () => {
      const sign = title.ariaSort === "ascending" ? -1 : 1;
      for (const other of titles) other.removeAttribute("aria-sort");
      title.ariaSort = sign > 0 ? "ascending" : "descending";
      const keyed = [...table.tBodies[0].rows].map((row) => [keyOf(row, title.cellIndex), row]);
      keyed.sort(([a], [b]) => order(a, b, sign));
      table.tBodies[0].append(...keyed.map(([, row]) => row));
    };
  }
}
