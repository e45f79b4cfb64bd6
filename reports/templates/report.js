// Controls: what is chosen, and what is drawn anew when it changes.
const fill = (select, options, chosen) => {
  select.innerHTML = "";
  for (const [value, text] of options) {
    const option = document.createElement("option");
    option.value = value;
    option.textContent = text;
    option.selected = value === chosen;
    select.append(option);
  }
};
const xSelects = [...document.querySelectorAll("select.cost")];
const ySelects = [...document.querySelectorAll("select.against")];
const axisText = (metric) => `${metric.short}, ${metric.unit}`;

const chooseAxes = () => {
  const metrics = metricsHere();
  const costs = metrics.filter((metric) => data.costs.includes(metric));
  // without any cost there is nothing to draw against
  document.querySelector(".charts").hidden = costs.length === 0;
  const isHere = (column) => metrics.some((metric) => metric.column === column);
  for (const chart of [0, 1]) {
    if (!isHere(state.xs[chart])) state.xs[chart] = (costs[chart] || costs[0] || {}).column || null;
    if (!isHere(state.ys[chart])) {
      // without a task: cost against cost
      const other = data.accuracy[0] || costs.find((metric) => metric.column !== state.xs[chart]);
      state.ys[chart] = other ? other.column : null;
    }
    fill(xSelects[chart], metrics.map((metric) => [metric.column, axisText(metric)]), state.xs[chart]);
    fill(ySelects[chart], [...data.accuracy, ...costs].map((metric) => [metric.column, axisText(metric)]), state.ys[chart]);
  }
  const notes = [...new Set(state.ys)].map(metricOf).filter((metric) => metric && metric.note);
  byId("accuracy-note").textContent = notes.map((metric) => `${metric.label}: ${metric.note}.`).join(" ");
};

// One field for each cost of the technology and for each loss that a chart draws.
const limitColumns = () => {
  const losses = data.accuracy.filter((metric) => state.ys.includes(metric.column) || metric.column in state.limits);
  return [...metricsHere().filter((metric) => data.costs.includes(metric) && metric.in_table), ...losses];
};
const drawLimits = () => {
  const box = byId("limits");
  const columns = limitColumns();
  const offered = new Set(columns.map((metric) => metric.column));
  for (const column of Object.keys(state.limits)) if (!offered.has(column)) delete state.limits[column];
  box.innerHTML = "";
  for (const metric of columns) {
    const label = document.createElement("label");
    label.innerHTML = `${escaped(metric.short)} ≤ <input type="number" step="any" data-column="${metric.column}"` +
      ` aria-label="most ${escaped(metric.label)}"> <span class="unit">${escaped(metric.unit)}</span>`;
    const input = label.querySelector("input");
    if (metric.column in state.limits) input.value = state.limits[metric.column];
    input.addEventListener("input", () => {
      if (input.value === "" || !Number.isFinite(+input.value)) delete state.limits[metric.column];
      else state.limits[metric.column] = +input.value;
      redraw();
    });
    box.append(label);
  }
};
const drawFamilies = () => {
  const box = byId("families");
  box.innerHTML = "";
  box.hidden = data.families.length < 2;
  for (const family of data.families) {
    const button = document.createElement("button");
    button.textContent = family;
    button.dataset.family = family;
    button.setAttribute("aria-pressed", state.families.has(family));
    button.addEventListener("click", () => {
      if (!state.families.delete(family)) state.families.add(family);
      drawFamilies();
      redraw();
    });
    box.append(button);
  }
};

// What was chosen stays, what it selects is found and drawn anew.
const redraw = () => {
  updateWanted();
  updateFronts();
  const all = rowsOf.get(state.technology).length;
  byId("wanted").textContent = wantedRows.length === all
    ? `all ${number(all, 0)} design${all === 1 ? "" : "s"}` : `${number(wantedRows.length, 0)} of ${number(all, 0)} designs meet them`;
  byId("clear").hidden = !Object.keys(state.limits).length && !state.families.size && !state.checkedOnly;
  drawCharts();
  drawHypervolume();
  drawEnergy();
  table();
};
const refresh = () => {
  chooseAxes();
  drawLimits();
  redraw();
  compare();
};

fill(byId("accuracy"), data.accuracy.map((metric) => [metric.column, metric.label]), (data.accuracy[0] || {}).column);
byId("accuracy").parentElement.hidden = data.accuracy.length === 0;
fill(byId("technology"), data.technologies.map((name) => [name, data.technology_labels[name] || name]), state.technology);
byId("accuracy").addEventListener("change", (event) => { state.ys = [event.target.value, event.target.value]; refresh(); });
byId("technology").addEventListener("change", (event) => {
  state.technology = event.target.value;
  // the same designs stay selected, where they have a row there
  const here = new Map(rowsOf.get(state.technology).map((row) => [row.design, row.index]));
  state.selected = state.selected.map((index) => here.get(rows[index].design)).filter((index) => index !== undefined);
  refresh();
});
xSelects.forEach((select, chart) =>
  select.addEventListener("change", (event) => { state.xs[chart] = event.target.value; refresh(); }));
ySelects.forEach((select, chart) =>
  select.addEventListener("change", (event) => { state.ys[chart] = event.target.value; refresh(); }));
byId("label-all").addEventListener("change", (event) => { state.labelAll = event.target.checked; drawCharts(); });
byId("logarithmic").addEventListener("change", (event) => { state.logarithmic = event.target.checked; redraw(); });
byId("checked-only").addEventListener("change", (event) => { state.checkedOnly = event.target.checked; redraw(); });
byId("filter").addEventListener("input", (event) => { state.filter = event.target.value; table(); });
byId("front-only").addEventListener("change", (event) => { state.frontOnly = event.target.checked; table(); });
byId("clear").addEventListener("click", () => {
  state.limits = {};
  state.families.clear();
  state.checkedOnly = byId("checked-only").checked = false;
  drawFamilies();
  drawLimits();
  redraw();
});
byId("more").addEventListener("click", appendRows);
new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) appendRows(); })
  .observe(byId("more"));
window.addEventListener("beforeprint", drawCharts);
legend();
drawFamilies();
refresh();
document.body.dataset.ready = String(rows.length);
