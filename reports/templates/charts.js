// The two scatter charts, their legend, and the hypervolume.
const MANY_POINTS = 1500; // from here on: small marks, no error bars, labels on the front only
const MOST_LABELS = 24;
const FONT = { family: "system-ui, -apple-system, Segoe UI, Roboto, Arial, sans-serif", size: 12.5, color: "#1c2126" };
const SELECTED_COLOURS = ["#1769aa", "#d4600a"];
const isDimmed = (row) => state.highlight !== null && row[state.highlight.key] !== state.highlight.value;

const changeTicks = (low, high) => {
  const steps = [0];
  for (let decade = 0.01; decade <= 1000; decade *= 10)
    for (const factor of [1, 3]) steps.push(decade * factor, -decade * factor);
  const ticks = steps.filter((t) => spread(t) >= low && spread(t) <= high).sort((a, b) => a - b);
  const text = (t) => (t > 0 ? "+" : "") + String(+t.toPrecision(2)).replace("-", "−");
  return { tickmode: "array", tickvals: ticks.map(spread), ticktext: ticks.map(text) };
};
const logTicks = (low, high) => {
  const factors = high - low > 2.5 ? [1] : high - low > 1.2 ? [1, 3] : [1, 1.5, 2, 3, 5, 7];
  const ticks = [];
  for (let decade = Math.floor(low); decade <= high; decade += 1)
    for (const factor of factors) ticks.push(factor * 10 ** decade);
  const inside = ticks.filter((t) => Math.log10(t) >= low && Math.log10(t) <= high);
  return { tickmode: "array", tickvals: inside.map(Math.log10), ticktext: inside.map((t) => String(+t.toPrecision(3))) };
};
const axisOf = (metric, range) => ({
  gridcolor: "#eef1f4", zeroline: false, range, ticks: "outside", tickcolor: "#c6ccd3", linecolor: "#c6ccd3",
  ...(metric.scale === "change" ? changeTicks(...range) : isLogarithmic(metric) ? logTicks(...range) : {}),
});
const padded = (values, part) => {
  let low = Infinity, high = -Infinity;
  for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
  const width = high - low || Math.abs(high) || 1;
  return [low - width * part, high + width * part];
};

// -- the note beside the pointer --------------------------------------------------------------
const hover = (row) => {
  const lines = [`<b>${escaped(row.design)}</b>`];
  for (const metric of metricsHere())
    if (has(row, metric.column))
      lines.push(`${escaped(metric.short)}: ${shown(row, metric)} ${escaped(metric.unit)}`);
  if (row.recipe) lines.push(`recipe: ${escaped(row.recipe)}`);
  lines.push(escaped(row.checked));
  return lines.join("<br>");
};
const showTip = (event, html) => {
  const tip = byId("tip");
  tip.innerHTML = html;
  tip.hidden = false;
  const { clientX, clientY } = event;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, clientX + 16 + width > innerWidth ? clientX - width - 16 : clientX + 16)}px`;
  tip.style.top = `${Math.max(4, Math.min(clientY + 12, innerHeight - height - 8))}px`;
};
const hideTip = () => { byId("tip").hidden = true; };

// -- one chart --------------------------------------------------------------------------------
const pointTraces = (points, x, y, front) => {
  const isMany = points.length > MANY_POINTS;
  const groups = new Map();
  for (const row of points) {
    const key = isMany ? "all" : `${row.operands}|${row.accumulator}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  const isOpen = (row) => data.marks[row.accumulator].endsWith("-open");
  return [...groups.values()].map((members) => {
    const ordered = isMany ? [...members].sort((a, b) => front.has(a.index) - front.has(b.index)) : members;
    const values = ordered.map((row) => row[y.column]);
    const places = values.map((value) => position(value, y));
    const colour = data.colours[members[0].operands];
    const trace = {
      x: ordered.map((row) => position(row[x.column], x)), y: places, mode: "markers",
      customdata: ordered.map((row) => row.index), hoverinfo: "none", type: isMany ? "scattergl" : "scatter",
      marker: {
        symbol: isMany ? "circle" : data.marks[members[0].accumulator],
        color: isMany ? ordered.map((row) => data.colours[row.operands]) : colour,
        size: ordered.map((row) => (front.has(row.index) ? (isMany ? 9 : 12) : isMany ? 4 : 9)),
        opacity: ordered.map((row) => (isDimmed(row) ? 0.1 : isMany && !front.has(row.index) ? 0.55 : 1)),
        line: isMany ? { width: 0 } : { width: isOpen(members[0]) ? 2 : 1, color: isOpen(members[0]) ? colour : "#fff" },
      },
    };
    if (y.error_column && !isMany) {
      const errors = ordered.map((row) => row[y.error_column] || 0);
      trace.error_y = {
        type: "data", symmetric: false, thickness: 1, width: 0, color: colour + (isDimmed(members[0]) ? "18" : "77"),
        array: values.map((value, i) => position(value + errors[i], y) - places[i]),
        arrayminus: values.map((value, i) => places[i] - position(value - errors[i], y)),
      };
    }
    return trace;
  });
};

const draw = (chart) => {
  const box = byId(`chart-${chart}`);
  const [x, y, points, front] = [metricOf(state.xs[chart]), metricOf(state.ys[chart]), drawnRows(chart), fronts[chart]];
  if (!points.length) {
    Plotly.purge(box);
    delete box.dataset.bound;
    box.innerHTML = "<p class='note empty'>No design that meets the constraints has both figures.</p>";
    return;
  }
  if (box.querySelector("p.empty")) box.innerHTML = "";
  const spot = (row) => [position(row[x.column], x), position(row[y.column], y)];
  const line = points.filter((row) => front.has(row.index)).map(spot).sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  const traces = [{
    x: line.map((p) => p[0]), y: line.map((p) => p[1]), mode: "lines", hoverinfo: "skip",
    line: { shape: "hv", color: "#9fb3c4", width: 2 },
  }, ...pointTraces(points, x, y, front)];
  const picked = state.selected.map((index, place) => ({ row: rows[index], place }))
    .filter(({ row }) => points.includes(row));
  if (picked.length)
    traces.push({
      x: picked.map(({ row }) => spot(row)[0]), y: picked.map(({ row }) => spot(row)[1]), mode: "markers+text",
      text: picked.map(({ place }) => `<b>${"AB"[place]}</b>`), textposition: "top left", hoverinfo: "skip",
      textfont: { size: 14, color: picked.map(({ place }) => SELECTED_COLOURS[place]) },
      marker: { symbol: "circle-open", size: 19, line: { width: 2.5 }, color: picked.map(({ place }) => SELECTED_COLOURS[place]) },
    });
  const references = points.map((row) => row[y.reference_column]).filter(Number.isFinite);
  const zero = y.scale === "change" ? 0 : references.length ? references[0] : null;
  const ys = points.map((row) => spot(row)[1]);
  if (zero !== null) ys.push(zero);
  const xRange = padded(points.map((row) => spot(row)[0]), 0.06);
  if (!isLogarithmic(x) && x.scale !== "change") xRange[0] = Math.min(0, xRange[0]);
  const heading = [{ xref: "paper", yref: "paper", x: 0, y: 1, yanchor: "bottom", xanchor: "left", xshift: -52,
    text: `<b>${y.label}</b>, ${y.unit}`, showarrow: false, font: { size: 12.5 } }];
  if (zero !== null)
    heading.push({ xref: "paper", x: 1, y: zero, yanchor: "bottom", xanchor: "right", showarrow: false,
      text: "unquantised network", font: { size: 11, color: "#5c6670" } });
  const layout = {
    margin: { l: 64, r: 16, t: 26, b: 48 }, showlegend: false, hovermode: "closest", font: FONT,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    xaxis: { title: { text: `${x.label}, ${x.unit}`, standoff: 8 }, ...axisOf(x, xRange) },
    yaxis: axisOf(y, padded(ys, 0.09)),
    shapes: zero === null ? [] : [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: zero, y1: zero,
      line: { color: "#7d8590", width: 1, dash: "dot" } }],
    annotations: heading,
  };
  Plotly.react(box, traces, layout, { responsive: true, displayModeBar: false }).then(() => {
    box.relabel = () => Plotly.update(box, {}, {
      annotations: [...heading, ...labelNotes(box._fullLayout, points, front, spot)] });
    box.relabel();
    if (box.dataset.bound) return;
    box.dataset.bound = "yes";
    const rowAt = (event) => rows[event.points[0].customdata];
    box.on("plotly_click", (event) => { if (rowAt(event)) toggleSelected(rowAt(event).index); });
    box.on("plotly_hover", (event) => { if (rowAt(event)) showTip(event.event, hover(rowAt(event))); });
    box.on("plotly_unhover", hideTip);
    box.on("plotly_relayout", (change) => {
      if (change && Object.keys(change).some((key) => key.includes("axis") || key === "autosize")) box.relabel();
    });
  });
};

// Labels beside their marks, where they cover neither a mark nor another label.
const OFFSETS = (w) => [[8, -8], [8, 8], [-8 - w, -8], [-8 - w, 8], [10, 0], [-10 - w, 0], [-w / 2, -15],
  [-w / 2, 15], [14, -22], [14, 22], [-14 - w, -22], [-14 - w, 22], [18, -36], [18, 36], [-18 - w, 36], [-18 - w, -36]];
const labelNotes = ({ xaxis, yaxis }, points, front, spot) => {
  const isMany = points.length > MANY_POINTS;
  const pixel = (row) => { const [x, y] = spot(row); return { x: xaxis.l2p(x), y: yaxis.l2p(y) }; };
  let wanted = points.filter((row) => !isDimmed(row) &&
    (front.has(row.index) || (!isMany && (state.labelAll || state.highlight !== null))));
  wanted.sort((a, b) => front.has(b.index) - front.has(a.index));
  if (wanted.length > MOST_LABELS && isMany) {
    const step = wanted.length / MOST_LABELS;
    wanted = Array.from({ length: MOST_LABELS }, (_, place) => wanted[Math.floor(place * step)]);
  }
  const taken = (isMany ? wanted : points).map(pixel)
    .map(({ x, y }) => ({ left: x - 6, right: x + 6, top: y - 6, bottom: y + 6 }));
  const overlap = (a, b) =>
    Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
    Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
  const notes = [];
  for (const row of wanted) {
    const { x, y } = pixel(row);
    const w = row.design.length * 7.2 + 6, h = 14;
    let best = null;
    for (const [dx, dy] of OFFSETS(w)) {
      const area = { left: x + dx, right: x + dx + w, top: y + dy - h / 2, bottom: y + dy + h / 2 };
      const outside = Math.max(0, -area.left) + Math.max(0, area.right - xaxis._length) +
        Math.max(0, -area.top) + Math.max(0, area.bottom - yaxis._length);
      const cover = outside * 60 + taken.reduce((sum, other) => sum + overlap(area, other), 0);
      const price = cover + Math.hypot(Math.max(0, Math.abs(dx + w / 2) - w / 2), dy) * 0.3;
      if (best === null || price < best.price) best = { price, cover, dx, dy, area };
    }
    if (best.cover > (isMany ? 20 : 60) && (isMany || !front.has(row.index))) continue;
    taken.push(best.area);
    const [ax, ay] = [best.dx + w / 2, best.dy];
    const isFar = Math.abs(best.dy) > 20;
    notes.push({
      x: spot(row)[0], y: spot(row)[1], text: escaped(row.design), bgcolor: "rgba(255,255,255,0.7)", borderpad: 0,
      showarrow: isFar, arrowhead: 0, arrowwidth: 1, arrowcolor: "#9aa3ab", ax, ay,
      ...(isFar ? {} : { xshift: ax, yshift: -ay }),
      font: { size: 11.5, color: data.colours[row.operands], weight: front.has(row.index) ? 600 : 400 },
    });
  }
  return notes;
};

// -- hypervolume ------------------------------------------------------------------------------
const drawHypervolume = () => {
  const section = byId("hypervolume"), box = byId("chart-hypervolume");
  const steps = [0, 1].map(hypervolumes);
  section.hidden = steps.every((list) => list.length < 3);
  if (section.hidden) { Plotly.purge(box); return; }
  const traces = steps.filter((list) => list.length).map((list, chart) => ({
    x: list.map((_, place) => place + 1), y: list.map((step) => 100 * step.share), mode: "lines",
    name: `${["left", "right"][chart]} chart`, line: { shape: "hv", width: 2, color: SELECTED_COLOURS[chart] },
    text: list.map((step) => `${escaped(step.row.design)}${step.isGain ? "" : ": no gain"}`),
    hovertemplate: "%{y:.2f} % after %{x} designs<br>%{text}<extra></extra>",
  }));
  byId("hypervolume-note").textContent = steps.map((list, chart) => {
    const place = list.findIndex((step) => step.share >= 0.99);
    return list.length ? `${["Left", "Right"][chart]} chart: 99 % after ${place + 1} of ${list.length} designs.` : "";
  }).join(" ");
  Plotly.react(box, traces, {
    height: 260, margin: { l: 64, r: 16, t: 10, b: 44 }, font: FONT, hovermode: "closest",
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    xaxis: { title: { text: "designs finished" }, gridcolor: "#eef1f4", zeroline: false },
    yaxis: { title: { text: "hypervolume, % of the last" }, gridcolor: "#eef1f4", range: [0, 104], zeroline: false },
    legend: { x: 1, xanchor: "right", y: 0.05, yanchor: "bottom" },
  }, { responsive: true, displayModeBar: false });
};

// -- legend -----------------------------------------------------------------------------------
const GLYPHS = {
  circle: '<circle cx="6.5" cy="6.5" r="5"/>', square: '<rect x="2" y="2" width="9" height="9"/>',
  diamond: '<path d="M6.5 .8 12.2 6.5 6.5 12.2 .8 6.5z"/>', "triangle-up": '<path d="M6.5 1.2 12 11.5 1 11.5z"/>',
  "triangle-down": '<path d="M6.5 11.8 12 1.5 1 1.5z"/>',
};
const glyph = (mark, colour) => {
  const isOpen = mark.endsWith("-open");
  return `<svg viewBox="0 0 13 13" fill="${isOpen ? "none" : colour}" stroke="${colour}" stroke-width="${isOpen ? 2 : 0}">` +
    `${GLYPHS[mark.replace("-open", "")]}</svg>`;
};
const legend = () => {
  const box = byId("legend");
  box.innerHTML = "";
  const add = (key, value, icon, text) => {
    const button = document.createElement("button");
    button.innerHTML = icon + escaped(text);
    const isPressed = () => state.highlight !== null && state.highlight.key === key && state.highlight.value === value;
    button.setAttribute("aria-pressed", isPressed());
    button.addEventListener("click", () => {
      state.highlight = isPressed() ? null : { key, value };
      legend();
      drawCharts();
    });
    box.append(button);
  };
  for (const [operands, colour] of Object.entries(data.colours))
    add("operands", operands, glyph("circle", colour), data.operand_labels[operands]);
  const gap = document.createElement("span");
  gap.className = "gap";
  box.append(gap);
  for (const [accumulator, mark] of Object.entries(data.marks))
    add("accumulator", accumulator, glyph(mark, "#3a3f47"), accumulator);
};
const drawCharts = () => { draw(0); draw(1); };
