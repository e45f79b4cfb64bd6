"use strict";
// Energy of every design of a technology: bars of its parts, marks for other operands.
const drawEnergy = (data, technology) => {
  const section = document.getElementById("energy"), box = document.getElementById("chart-energy");
  const whole = "energy_pj_per_mac";
  const rows = data.rows
    .filter((row) => row.technology === technology && typeof row[whole] === "number")
    .filter((row) => data.energy_parts.some((part) => typeof row[part.column] === "number"))
    .sort((a, b) => b[whole] - a[whole]); // Plotly draws the first one lowest
  section.hidden = rows.length === 0;
  if (rows.length === 0) {
    Plotly.purge(box);
    return;
  }
  const names = rows.map((row) => row.design);
  const value = (row, column) => (typeof row[column] === "number" ? row[column] : null);
  const share = (row, column) =>
    value(row, column) === null ? "" : `${((100 * row[column]) / row[whole]).toFixed(1)} %`;
  const bars = data.energy_parts.map((part) => ({
    type: "bar", orientation: "h", name: part.label, y: names,
    x: rows.map((row) => value(row, part.column)),
    text: rows.map((row) => share(row, part.column)), textposition: "none",
    marker: { color: part.colour },
    hovertemplate: `%{y}<br>${part.label}: %{x:.4g} pJ, %{text}<extra></extra>`,
  }));
  const symbols = ["diamond", "circle", "x-thin", "line-ns", "triangle-down"];
  const marks = data.energy_beside.map((kind, index) => ({
    type: "scatter", mode: "markers", name: kind.label, y: names,
    x: rows.map((row) => value(row, kind.column)),
    marker: { color: kind.colour, symbol: symbols[index % symbols.length], size: 8,
      line: { color: kind.colour, width: 1.5 } },
    hovertemplate: `%{y}<br>${kind.label}: %{x:.4g} pJ<extra></extra>`,
  }));
  Plotly.react(box, [...bars, ...marks], {
    barmode: "stack", bargap: 0.25, height: 150 + 19 * rows.length,
    margin: { l: 190, r: 20, t: 10, b: 40 },
    font: { family: "system-ui, sans-serif", size: 12, color: "#1c2126" },
    xaxis: { title: { text: "energy per MAC, pJ" }, rangemode: "tozero", gridcolor: "#eceff2" },
    yaxis: { automargin: true },
    legend: { orientation: "h", y: 1.01, yanchor: "bottom", x: 0, traceorder: "normal" },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
  }, { responsive: true, displayModeBar: false });
};
