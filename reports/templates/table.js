// The table of all designs that meet the constraints: sorted, filtered, drawn as far as one looks.
const ROWS_AT_ONCE = 200;
const onFront = (row, chart) => fronts[chart].has(row.index);
const tableColumns = () => [
  { head: "", kind: "pick", value: (row) => state.selected.indexOf(row.index) },
  { head: "Design", value: (row) => row.design, left: true, kind: "design" },
  { head: "Front", unit: "left, right", value: (row) => (onFront(row, 0) ? 2 : 0) + (onFront(row, 1) ? 1 : 0), kind: "front" },
  ...metricsHere().filter((metric) => metric.in_table)
    .map((metric) => ({ head: metric.short, unit: metric.unit, metric })),
  { head: "Checked", value: (row) => row.checked_results || 0, left: true, kind: "checked" },
  { head: "Verilog", value: (row) => row.verilog || "", left: true, kind: "verilog" },
];
const fillCell = {
  pick: (td, row) => {
    const place = state.selected.indexOf(row.index);
    td.innerHTML = `<button class="pick" aria-pressed="${place >= 0}" title="compare"` +
      ` aria-label="compare ${escaped(row.design)}">${place >= 0 ? "AB"[place] : "+"}</button>`;
    if (place >= 0) td.firstChild.style.background = SELECTED_COLOURS[place];
    td.firstChild.addEventListener("click", () => toggleSelected(row.index));
  },
  design: (td, row) => {
    td.classList.add("design");
    td.innerHTML = `<span class="dot" style="background:${data.colours[row.operands]}"></span>${escaped(row.design)}`;
  },
  front: (td, row) => {
    td.innerHTML = [0, 1].map((chart) => `<span class="front">${onFront(row, chart) ? "●" : "·"}</span>`).join(" ");
  },
  checked: (td, row) => {
    const isChecked = row.checked !== "unchecked";
    if (row.failure) td.classList.add("wrap");
    td.textContent = row.failure || (isChecked ? `✓ ${number(row.checked_results || 0, 0)} results` : "unchecked");
    td.title = row.checked;
    td.classList.add(row.failure || !isChecked ? "bad" : "good");
  },
  verilog: (td, row) => {
    if (row.verilog) td.innerHTML = `<a href="${escaped(encodeURI(row.verilog))}">.v</a>`;
    else { td.textContent = "–"; td.classList.add("missing"); }
  },
  metric: (td, row, metric) => {
    const [value, error] = shown(row, metric).split(" ± ");
    td.innerHTML = escaped(value) + (error ? ` <span class="error">± ${escaped(error)}</span>` : "");
    if (value === "–") td.classList.add("missing");
  },
};
const sortedRows = (columns) => {
  const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const listed = wantedRows.filter((row) =>
    words.every((word) => row.design.toLowerCase().includes(word)) &&
    (!state.frontOnly || onFront(row, 0) || onFront(row, 1)));
  const column = columns.find((c) => c.head === state.sort.column);
  if (!column) return listed;
  const key = (row) => (column.metric ? (has(row, column.metric.column) ? row[column.metric.column] : null) : column.value(row));
  const direction = state.sort.ascending ? 1 : -1;
  const collator = new Intl.Collator("en", { numeric: true });
  return listed.map((row) => [key(row), row]).sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null); // missing ones last, always
    return direction * (typeof a === "string" ? collator.compare(a, b) : a - b);
  }).map(([, row]) => row);
};
let listedRows = [];
const appendRows = () => {
  const body = byId("table").tBodies[0], columns = tableColumns();
  const from = body.rows.length;
  for (const row of listedRows.slice(from, from + ROWS_AT_ONCE)) {
    const tr = body.insertRow();
    tr.id = `row-${row.index}`;
    if (state.selected.includes(row.index)) tr.className = `chosen-${state.selected.indexOf(row.index)}`;
    for (const column of columns) {
      const td = tr.insertCell();
      if (column.left) td.className = "left";
      if (column.metric) fillCell.metric(td, row, column.metric);
      else fillCell[column.kind](td, row);
    }
  }
  byId("more").hidden = body.rows.length >= listedRows.length;
};
const table = () => {
  const columns = tableColumns();
  const { tHead: head, tBodies: [body] } = byId("table");
  head.innerHTML = "";
  body.innerHTML = "";
  const headRow = head.insertRow();
  for (const column of columns) {
    const th = document.createElement("th");
    th.innerHTML = escaped(column.head) + (column.unit ? `<small>${escaped(column.unit)}</small>` : "");
    if (column.left) th.className = "left";
    th.tabIndex = 0;
    if (column.head && state.sort.column === column.head)
      th.setAttribute("aria-sort", state.sort.ascending ? "ascending" : "descending");
    const sort = () => {
      if (!column.head) return;
      state.sort = { column: column.head,
        ascending: state.sort.column === column.head ? !state.sort.ascending : column.kind !== "front" };
      table();
    };
    th.addEventListener("click", sort);
    th.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
    headRow.append(th);
  }
  listedRows = sortedRows(columns);
  appendRows();
  byId("count").textContent = `${number(listedRows.length, 0)} of ${number(rowsOf.get(state.technology).length, 0)}`;
};
