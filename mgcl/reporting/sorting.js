// A click on a head sorts its table upwards, the next one downwards, the third puts rows back under their headings.
const NEXT = {none: "ascending", ascending: "descending", descending: "none"};

// Numbers are sorted by value; what stands after them (an interval, a count) does not matter.
const leading = (text) => parseFloat(/^[-+]?\d+(\.\d+)?(?![\w.])/.exec(text));

function compare(one, other, sign) {
  const [a, b] = [leading(one), leading(other)];
  if (Number.isNaN(a) !== Number.isNaN(b)) return Number.isNaN(a) ? 1 : -1; // what was not run comes last
  return sign * (Number.isNaN(a) ? one.localeCompare(other, "en", {numeric: true}) : a - b);
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const groups = [...table.tBodies].map((body) => [body, [...body.rows]]);
  const rows = groups.flatMap(([, each]) => each).filter((row) => !row.classList.contains("group"));
  const sorted = document.createElement("tbody");
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const order = NEXT[head.getAttribute("aria-sort") ?? "none"];
      for (const each of heads) each.removeAttribute("aria-sort");
      for (const body of [...table.tBodies]) body.remove();
      if (order === "none") {
        for (const [body, each] of groups) body.replaceChildren(...each);
        table.append(...groups.map(([body]) => body));
        return;
      }
      const sign = order === "ascending" ? 1 : -1;
      const text = (row) => row.cells[column].textContent.trim();
      sorted.replaceChildren(...[...rows].sort((one, other) => compare(text(one), text(other), sign)));
      table.append(sorted);
      head.setAttribute("aria-sort", order);
    });
  });
}
