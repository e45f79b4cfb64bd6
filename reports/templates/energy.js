// Energy of the designs of a technology: bars of its parts, marks for other operands.
const MOST_ENERGY_BARS = 40;
const ENERGY = "energy_pj_per_mac";
const energyRows = () => {
  const priced = wantedRows.filter((row) => has(row, ENERGY) && data.energy_parts.some((part) => has(row, part.column)));
  if (priced.length <= MOST_ENERGY_BARS) return priced;
  const rank = (row) => (state.selected.includes(row.index) ? 0 : fronts[0].has(row.index) || fronts[1].has(row.index) ? 1 : 2);
  return priced.sort((a, b) => rank(a) - rank(b) || a[ENERGY] - b[ENERGY]).slice(0, MOST_ENERGY_BARS);
};
const drawEnergy = () => {
  const section = byId("energy"), box = byId("chart-energy");
  const bars = energyRows().sort((a, b) => b[ENERGY] - a[ENERGY]); // Plotly draws the first one lowest
  section.hidden = bars.length === 0;
  if (bars.length === 0) {
    Plotly.purge(box);
    return;
  }
  byId("energy-note").textContent = bars.length < MOST_ENERGY_BARS ? ""
    : `At most ${MOST_ENERGY_BARS} designs are drawn: the selected ones, those on a front, then those of least energy.`;
  const names = bars.map((row) => row.design);
  const value = (row, column) => (has(row, column) ? row[column] : null);
  const share = (row, column) =>
    value(row, column) === null ? "" : `${((100 * row[column]) / row[ENERGY]).toFixed(1)} %`;
  const parts = data.energy_parts.map((part) => ({
    type: "bar", orientation: "h", name: part.label, y: names,
    x: bars.map((row) => value(row, part.column)),
    text: bars.map((row) => share(row, part.column)), textposition: "none",
    marker: { color: part.colour },
    hovertemplate: `%{y}<br>${part.label}: %{x:.4g} pJ, %{text}<extra></extra>`,
  }));
  const symbols = ["diamond", "circle", "x-thin", "line-ns", "triangle-down"];
  const marks = data.energy_beside.map((kind, index) => ({
    type: "scatter", mode: "markers", name: kind.label, y: names,
    x: bars.map((row) => value(row, kind.column)),
    marker: { color: kind.colour, symbol: symbols[index % symbols.length], size: 8,
      line: { color: kind.colour, width: 1.5 } },
    hovertemplate: `%{y}<br>${kind.label}: %{x:.4g} pJ<extra></extra>`,
  }));
  Plotly.react(box, [...parts, ...marks], {
    barmode: "stack", bargap: 0.25, height: 150 + 19 * bars.length,
    margin: { l: 190, r: 20, t: 10, b: 40 }, font: { ...FONT, size: 12 },
    xaxis: { title: { text: "energy per MAC, pJ" }, rangemode: "tozero", gridcolor: "#eceff2" },
    yaxis: { automargin: true },
    legend: { orientation: "h", y: 1.01, yanchor: "bottom", x: 0, traceorder: "normal" },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
  }, { responsive: true, displayModeBar: false });
};
