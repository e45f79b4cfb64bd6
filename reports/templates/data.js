"use strict";
// What the page knows: rows, metrics, constraints, fronts, hypervolume. Draws nothing.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

const decodeRows = () => {
  const decoded = Array.from({ length: data.count }, (_, index) => ({ index }));
  for (const [name, column] of Object.entries(data.columns)) {
    if (Array.isArray(column))
      column.forEach((value, index) => { if (value !== null) decoded[index][name] = value; });
    else
      column.codes.forEach((code, index) => { if (code >= 0) decoded[index][name] = column.texts[code]; });
  }
  return decoded;
};
const rows = decodeRows();
const rowsOf = new Map(data.technologies.map((name) => [name, []]));
rows.forEach((row) => rowsOf.get(row.technology).push(row));

const state = {
  technology: data.technologies[0],
  xs: [null, null], // columns of the two charts
  ys: [null, null],
  logarithmic: false,
  highlight: null, // {key: "operands" | "accumulator", value}
  labelAll: false,
  sort: { column: null, ascending: true },
  filter: "",
  frontOnly: false,
  checkedOnly: false,
  limits: {}, // column -> largest value wanted
  families: new Set(), // empty: all
  selected: [], // row indices, at most two: A and B
};

// -- metrics ----------------------------------------------------------------------------------
const metricsHere = () =>
  [...data.costs.filter((metric) => metric.technologies.includes(state.technology)), ...data.accuracy];
const metricOf = (column) =>
  data.costs.find((metric) => metric.column === column) || data.accuracy.find((metric) => metric.column === column);
const has = (row, column) => typeof row[column] === "number";
const number = (value, decimals) =>
  value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
const shown = (row, metric) => {
  if (!has(row, metric.column)) return "–";
  const sign = metric.scale === "change" && row[metric.column] > 0 ? "+" : "";
  let text = sign + number(row[metric.column], metric.decimals).replace("-", "−");
  if (metric.error_column && has(row, metric.error_column))
    text += " ± " + number(row[metric.error_column], metric.decimals);
  return text;
};
const escaped = (text) =>
  String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

// A change has both signs and spans decades: nearly linear around 0, logarithmic far from it.
const spread = (value) => Math.asinh(value / data.change_unit);
const isLogarithmic = (metric) =>
  state.logarithmic && metric.scale !== "change" && data.costs.includes(metric);
const position = (value, metric) =>
  metric.scale === "change" ? spread(value) : isLogarithmic(metric) ? Math.log10(value) : value;

// -- which rows -------------------------------------------------------------------------------
const meetsConstraints = (row) => {
  if (state.families.size && !state.families.has(row.family)) return false;
  if (state.checkedOnly && row.checked === "unchecked") return false;
  for (const [column, limit] of Object.entries(state.limits))
    if (!has(row, column) || row[column] > limit) return false;
  return true;
};
let wantedRows = [];
const updateWanted = () => { wantedRows = rowsOf.get(state.technology).filter(meetsConstraints); };
const drawnRows = (chart) => {
  const [x, y] = [metricOf(state.xs[chart]), metricOf(state.ys[chart])];
  if (!x || !y) return [];
  const isDrawn = (row, metric) => has(row, metric.column) && (!isLogarithmic(metric) || row[metric.column] > 0);
  return wantedRows.filter((row) => isDrawn(row, x) && isDrawn(row, y));
};

// -- fronts -----------------------------------------------------------------------------------
// Rows that no other one beats: at least as good in both columns, better in one. Equal rows do not
// beat each other.
const paretoFront = (points, x, y) => {
  const ordered = [...points].sort((a, b) => a[x] - b[x] || a[y] - b[y]);
  const front = [];
  let best = Infinity;
  for (const row of ordered) {
    const last = front[front.length - 1];
    if (row[y] < best || (last && row[x] === last[x] && row[y] === last[y])) front.push(row);
    best = Math.min(best, row[y]);
  }
  return front;
};
let fronts = [new Set(), new Set()]; // of row indices
const updateFronts = () => {
  fronts = [0, 1].map((chart) => new Set(
    paretoFront(drawnRows(chart), state.xs[chart], state.ys[chart]).map((row) => row.index)));
};

// -- hypervolume over time --------------------------------------------------------------------
// The area between the front of what was finished so far and the worst corner of all, in the scale
// that the chart draws, as a share of what the whole sweep reached.
const hypervolumes = (chart) => {
  const [x, y] = [metricOf(state.xs[chart]), metricOf(state.ys[chart])];
  const points = drawnRows(chart).filter((row) => has(row, "finished_unix_s"))
    .sort((a, b) => a.finished_unix_s - b.finished_unix_s || a.index - b.index)
    .map((row) => ({ row, x: position(row[x.column], x), y: position(row[y.column], y) }));
  const corner = { x: -Infinity, y: -Infinity };
  for (const point of points) {
    corner.x = Math.max(corner.x, point.x);
    corner.y = Math.max(corner.y, point.y);
  }
  let front = [], volume = 0;
  const steps = points.map((point) => {
    const isBeaten = front.some((other) => other.x <= point.x && other.y <= point.y);
    if (!isBeaten) {
      front = front.filter((other) => !(point.x <= other.x && point.y <= other.y));
      front.push(point);
      front.sort((a, b) => a.x - b.x);
      volume = 0;
      front.forEach((member, place) => {
        const next = place + 1 < front.length ? front[place + 1].x : corner.x;
        volume += (next - member.x) * (corner.y - member.y);
      });
    }
    return { row: point.row, volume, isGain: !isBeaten };
  });
  return steps.map((step) => ({ ...step, share: volume > 0 ? step.volume / volume : 1 }));
};
