"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const rows = data.rows;
  const byId = (id) => document.getElementById(id);
  const state = {
    accuracy: data.accuracy.length ? data.accuracy[0].column : null,
    technology: data.technologies[0],
    costs: [null, null],
    highlight: null, // {key: "operands" | "accumulator", value}
    labelAll: false,
    sort: { column: null, ascending: true },
    filter: "",
    frontOnly: false,
    chosen: null,
  };

  // -- values -------------------------------------------------------------------------------
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
  const accuracyMetric = () => data.accuracy.find((m) => m.column === state.accuracy);
  const costMetric = (chart) => data.costs.find((m) => m.column === state.costs[chart]);
  const costsHere = () => data.costs.filter((m) => m.technologies.includes(state.technology));
  const rowsHere = () =>
    rows.map((row, index) => ({ row, index })).filter(({ row }) => row.technology === state.technology);
  const frontOf = (chart) => {
    const key = [state.technology, state.accuracy, state.costs[chart]].join("|");
    return new Set(data.fronts[key] || []);
  };
  const isDimmed = (row) =>
    state.highlight !== null && row[state.highlight.key] !== state.highlight.value;

  // A change has both signs and spans decades: nearly linear around 0, logarithmic far from it.
  const spread = (value) => Math.asinh(value / data.change_unit);
  const position = (value, metric) => (metric.scale === "change" ? spread(value) : value);
  const changeTicks = (low, high) => {
    const steps = [0];
    for (let decade = 0.01; decade <= 1000; decade *= 10)
      for (const factor of [1, 3]) steps.push(decade * factor, -decade * factor);
    const ticks = steps.filter((t) => spread(t) >= low && spread(t) <= high).sort((a, b) => a - b);
    const text = (t) => (t > 0 ? "+" : "") + String(+t.toPrecision(2)).replace("-", "−");
    return { tickvals: ticks.map(spread), ticktext: ticks.map(text) };
  };

  // -- charts -------------------------------------------------------------------------------
  const hover = (row) => {
    const lines = [`<b>${escaped(row.design)}</b>`];
    for (const metric of [...costsHere(), ...data.accuracy])
      if (has(row, metric.column))
        lines.push(`${escaped(metric.short)}: ${shown(row, metric)} ${escaped(metric.unit)}`);
    if (row.recipe) lines.push(`recipe: ${escaped(row.recipe)}`);
    lines.push(escaped(row.checked));
    return lines.join("<br>");
  };

  const draw = (chart) => {
    const box = byId(`chart-${chart}`);
    const accuracy = accuracyMetric();
    const cost = costMetric(chart);
    const points = accuracy && cost
      ? rowsHere().filter(({ row }) => has(row, accuracy.column) && has(row, cost.column))
      : [];
    if (!points.length) {
      Plotly.purge(box);
      box.innerHTML = "<p class='note' style='padding:20px'>No design has both figures.</p>";
      return;
    }
    if (box.querySelector("p")) box.innerHTML = "";
    const front = frontOf(chart);
    const traces = [];
    const line = points
      .filter(({ index }) => front.has(index))
      .map(({ row }) => [row[cost.column], position(row[accuracy.column], accuracy)])
      .sort((a, b) => a[0] - b[0] || b[1] - a[1]);
    traces.push({
      x: line.map((p) => p[0]), y: line.map((p) => p[1]), mode: "lines", hoverinfo: "skip",
      line: { shape: "hv", color: "#9fb3c4", width: 2 },
    });
    const groups = new Map();
    for (const point of points) {
      const key = `${point.row.operands}|${point.row.accumulator}`;
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(point);
    }
    for (const members of groups.values()) {
      const first = members[0].row;
      const values = members.map(({ row }) => row[accuracy.column]);
      const places = values.map((v) => position(v, accuracy));
      const trace = {
        x: members.map(({ row }) => row[cost.column]), y: places, mode: "markers",
        customdata: members.map(({ index }) => index),
        text: members.map(({ row }) => hover(row)), hovertemplate: "%{text}<extra></extra>",
        marker: {
          symbol: data.marks[first.accumulator], color: data.colours[first.operands],
          size: members.map(({ index }) => (front.has(index) ? 12 : 9)),
          line: { width: data.marks[first.accumulator].endsWith("-open") ? 2 : 1,
            color: data.marks[first.accumulator].endsWith("-open") ? data.colours[first.operands] : "#fff" },
          opacity: members.map(({ row }) => (isDimmed(row) ? 0.12 : 1)),
        },
      };
      if (accuracy.error_column) {
        const errors = members.map(({ row }) => row[accuracy.error_column] || 0);
        trace.error_y = {
          type: "data", symmetric: false, thickness: 1, width: 0,
          color: data.colours[first.operands] + (isDimmed(first) ? "18" : "77"),
          array: values.map((v, i) => position(v + errors[i], accuracy) - places[i]),
          arrayminus: values.map((v, i) => places[i] - position(v - errors[i], accuracy)),
        };
      }
      traces.push(trace);
    }
    const xs = points.map(({ row }) => row[cost.column]);
    const ys = points.map(({ row }) => position(row[accuracy.column], accuracy));
    const references = points.map(({ row }) => row[accuracy.reference_column]).filter(Number.isFinite);
    if (references.length) ys.push(references[0]);
    if (accuracy.scale === "change") ys.push(0);
    const pad = (low, high, part) => [low - (high - low || 1) * part, high + (high - low || 1) * part];
    const [yLow, yHigh] = pad(Math.min(...ys), Math.max(...ys), 0.09);
    const zero = accuracy.scale === "change" ? 0 : references.length ? references[0] : null;
    const layout = {
      margin: { l: 64, r: 16, t: 26, b: 48 }, showlegend: false, hovermode: "closest",
      font: { family: "system-ui, -apple-system, Segoe UI, Roboto, Arial, sans-serif", size: 12.5, color: "#1c2126" },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      xaxis: { title: { text: `${cost.label}, ${cost.unit}`, standoff: 8 }, gridcolor: "#eef1f4", zeroline: false,
        range: [0, Math.max(...xs) * 1.1], ticks: "outside", tickcolor: "#c6ccd3", linecolor: "#c6ccd3" },
      yaxis: { gridcolor: "#eef1f4", zeroline: false, range: [yLow, yHigh],
        ticks: "outside", tickcolor: "#c6ccd3", linecolor: "#c6ccd3",
        ...(accuracy.scale === "change" ? { tickmode: "array", ...changeTicks(yLow, yHigh) } : {}) },
      shapes: zero === null ? [] : [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: zero, y1: zero,
        line: { color: "#7d8590", width: 1, dash: "dot" } }],
      hoverlabel: { bgcolor: "#fff", bordercolor: "#7d8590", font: { color: "#1c2126", size: 12.5 }, align: "left" },
      annotations: [],
    };
    const heading = [{ xref: "paper", yref: "paper", x: 0, y: 1, yanchor: "bottom", xanchor: "left", xshift: -52,
      text: `<b>${accuracy.label}</b>, ${accuracy.unit}`, showarrow: false, font: { size: 12.5 } }];
    if (zero !== null)
      heading.push({ xref: "paper", x: 1, y: zero, yanchor: "bottom", xanchor: "right", showarrow: false,
        text: "unquantised network", font: { size: 11, color: "#5c6670" } });
    layout.annotations = heading;
    Plotly.react(box, traces, layout, { responsive: true, displayModeBar: false }).then(() => {
      label(box, layout, heading, points, front, accuracy, cost);
      if (!box.dataset.bound) {
        box.dataset.bound = "yes";
        box.on("plotly_click", (event) => choose(event.points[0].customdata));
        box.on("plotly_relayout", (change) => {
          if (change && Object.keys(change).some((key) => key.includes("axis") || key === "autosize"))
            box.relabel();
        });
      }
    });
  };

  // Labels beside their marks, where they cover neither a mark nor another label.
  const label = (box, layout, heading, points, front, accuracy, cost) => {
    const place = () => {
      const { xaxis, yaxis } = box._fullLayout;
      const spot = ({ row }) => ({
        x: xaxis.l2p(row[cost.column]), y: yaxis.l2p(position(row[accuracy.column], accuracy)),
      });
      const wanted = points.filter(({ row, index }) =>
        !isDimmed(row) && (state.labelAll || state.highlight !== null || front.has(index)));
      const marks = points.map(spot);
      const taken = marks.map(({ x, y }) => ({ left: x - 6, right: x + 6, top: y - 6, bottom: y + 6 }));
      const overlap = (a, b) =>
        Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
        Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
      const notes = [];
      const ordered = [...wanted].sort((a, b) => front.has(b.index) - front.has(a.index));
      for (const point of ordered) {
        const { x, y } = spot(point);
        const text = point.row.design;
        const w = text.length * 7.2 + 6, h = 14;
        let best = null;
        for (const [dx, dy] of [[8, -8], [8, 8], [-8 - w, -8], [-8 - w, 8], [10, 0], [-10 - w, 0],
          [-w / 2, -15], [-w / 2, 15], [14, -22], [14, 22], [-14 - w, -22], [-14 - w, 22],
          [18, -36], [18, 36], [-18 - w, 36], [-18 - w, -36]]) {
          const area = { left: x + dx, right: x + dx + w, top: y + dy - h / 2, bottom: y + dy + h / 2 };
          const outside = Math.max(0, -area.left) + Math.max(0, area.right - xaxis._length) +
            Math.max(0, -area.top) + Math.max(0, area.bottom - yaxis._length);
          const cover = outside * 60 + taken.reduce((sum, other) => sum + overlap(area, other), 0);
          const price = cover + Math.hypot(Math.max(0, Math.abs(dx + w / 2) - w / 2), dy) * 0.3;
          if (best === null || price < best.price) best = { price, cover, dx, dy, area };
        }
        if (best.cover > 60 && !front.has(point.index)) continue;
        taken.push(best.area);
        notes.push({
          x: costOf(point), y: position(point.row[accuracy.column], accuracy), text: escaped(text),
          bgcolor: "rgba(255,255,255,0.7)", borderpad: 0,
          showarrow: Math.abs(best.dy) > 20, arrowhead: 0, arrowwidth: 1, arrowcolor: "#9aa3ab",
          ax: best.dx + w / 2, ay: best.dy,
          ...(Math.abs(best.dy) > 20 ? {} : { xshift: best.dx + w / 2, yshift: -best.dy }),
          font: { size: 11.5, color: data.colours[point.row.operands], weight: front.has(point.index) ? 600 : 400 },
        });
      }
      return notes;
    };
    const costOf = ({ row }) => row[cost.column];
    box.relabel = () => Plotly.update(box, {}, { annotations: [...heading, ...place()] });
    box.relabel();
  };

  const drawAll = () => { draw(0); draw(1); };

  // -- legend -------------------------------------------------------------------------------
  const paths = {
    circle: '<circle cx="6.5" cy="6.5" r="5"/>', square: '<rect x="2" y="2" width="9" height="9"/>',
    diamond: '<path d="M6.5 .8 12.2 6.5 6.5 12.2 .8 6.5z"/>', "triangle-up": '<path d="M6.5 1.2 12 11.5 1 11.5z"/>',
  };
  const glyph = (mark, colour) => {
    const open = mark.endsWith("-open");
    return `<svg viewBox="0 0 13 13" fill="${open ? "none" : colour}" stroke="${colour}" stroke-width="${open ? 2 : 0}">` +
      `${paths[mark.replace("-open", "")]}</svg>`;
  };
  const legend = () => {
    const box = byId("legend");
    box.innerHTML = "";
    const add = (key, value, icon, text) => {
      const button = document.createElement("button");
      button.innerHTML = icon + escaped(text);
      const pressed = () => state.highlight !== null && state.highlight.key === key && state.highlight.value === value;
      button.setAttribute("aria-pressed", pressed());
      button.addEventListener("click", () => {
        state.highlight = pressed() ? null : { key, value };
        legend();
        drawAll();
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

  // -- table --------------------------------------------------------------------------------
  const tableColumns = () => [
    { head: "Design", value: (r) => r.design, left: true, kind: "design" },
    { head: "Front", unit: "left, right", value: (r, i) => (onFront(i, 0) ? 2 : 0) + (onFront(i, 1) ? 1 : 0), kind: "front" },
    ...[...costsHere(), ...data.accuracy].filter((metric) => metric.in_table)
      .map((metric) => ({ head: metric.short, unit: metric.unit, metric })),
    { head: "Checked", value: (r) => r.checked_results || 0, left: true, kind: "checked" },
    { head: "Verilog", value: (r) => r.verilog || "", left: true, kind: "verilog" },
  ];
  const onFront = (index, chart) => frontOf(chart).has(index);
  const cell = (column, row, index) => {
    const td = document.createElement("td");
    if (column.left) td.className = "left";
    if (column.metric) {
      const text = shown(row, column.metric);
      const [value, error] = text.split(" ± ");
      td.innerHTML = escaped(value) + (error ? ` <span class="error">± ${escaped(error)}</span>` : "");
      if (text === "–") td.classList.add("missing");
    } else if (column.kind === "design") {
      td.classList.add("design");
      td.innerHTML = `<span class="dot" style="background:${data.colours[row.operands]}"></span>${escaped(row.design)}`;
    } else if (column.kind === "front") {
      td.innerHTML = [0, 1].map((c) => `<span class="front">${onFront(index, c) ? "●" : "·"}</span>`).join(" ");
    } else if (column.kind === "checked") {
      const isChecked = row.checked !== "unchecked";
      if (row.failure) td.classList.add("wrap");
      td.textContent = row.failure ||
        (isChecked ? `✓ ${number(row.checked_results, 0)} results` : "unchecked");
      td.title = row.checked;
      td.classList.add(row.failure || !isChecked ? "bad" : "good");
    } else if (row.verilog) {
      td.innerHTML = `<a href="${encodeURI(row.verilog)}">.v</a>`;
    } else {
      td.textContent = "–";
      td.classList.add("missing");
    }
    return td;
  };
  const table = () => {
    const columns = tableColumns();
    const head = byId("table").tHead, body = byId("table").tBodies[0];
    head.innerHTML = "";
    const headRow = head.insertRow();
    columns.forEach((column) => {
      const th = document.createElement("th");
      th.innerHTML = escaped(column.head) + (column.unit ? `<small>${escaped(column.unit)}</small>` : "");
      if (column.left) th.className = "left";
      th.tabIndex = 0;
      if (state.sort.column === column.head)
        th.setAttribute("aria-sort", state.sort.ascending ? "ascending" : "descending");
      const sort = () => {
        state.sort = { column: column.head,
          ascending: state.sort.column === column.head ? !state.sort.ascending : column.kind !== "front" };
        table();
      };
      th.addEventListener("click", sort);
      th.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
      headRow.append(th);
    });
    const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
    let chosen = rowsHere().filter(({ row, index }) =>
      words.every((word) => row.design.toLowerCase().includes(word)) &&
      (!state.frontOnly || onFront(index, 0) || onFront(index, 1)));
    const column = columns.find((c) => c.head === state.sort.column);
    if (column) {
      const key = ({ row, index }) =>
        column.metric ? (has(row, column.metric.column) ? row[column.metric.column] : null) : column.value(row, index);
      const direction = state.sort.ascending ? 1 : -1;
      chosen = chosen.map((entry) => [key(entry), entry]).sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null); // missing ones last, always
        return direction * (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
      }).map(([, entry]) => entry);
    }
    body.innerHTML = "";
    for (const { row, index } of chosen) {
      const tr = body.insertRow();
      tr.id = `row-${index}`;
      if (index === state.chosen) tr.className = "chosen";
      for (const c of columns) tr.append(cell(c, row, index));
    }
    byId("count").textContent = `${chosen.length} of ${rowsHere().length}`;
  };
  const choose = (index) => {
    if (index === undefined) return;
    state.chosen = index;
    table();
    const row = byId(`row-${index}`);
    if (row) row.scrollIntoView({ block: "center", behavior: "smooth" });
  };

  // -- controls -----------------------------------------------------------------------------
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
  const costSelects = [...document.querySelectorAll("select.cost")];
  const refresh = () => {
    const costs = costsHere();
    costSelects.forEach((select, chart) => {
      if (!costs.some((m) => m.column === state.costs[chart]))
        state.costs[chart] = (costs[chart] || costs[0] || {}).column || null;
      fill(select, costs.map((m) => [m.column, `${m.label}, ${m.unit}`]), state.costs[chart]);
    });
    const accuracy = accuracyMetric();
    byId("accuracy-note").textContent = accuracy && accuracy.note ? `${accuracy.label}: ${accuracy.note}.` : "";
    drawAll();
    drawEnergy(data, state.technology);
    table();
  };
  fill(byId("accuracy"), data.accuracy.map((m) => [m.column, m.label]), state.accuracy);
  fill(byId("technology"), data.technologies.map((t) => [t, data.technology_labels[t] || t]), state.technology);
  byId("accuracy").addEventListener("change", (e) => { state.accuracy = e.target.value; refresh(); });
  byId("technology").addEventListener("change", (e) => { state.technology = e.target.value; refresh(); });
  costSelects.forEach((select, chart) =>
    select.addEventListener("change", (e) => { state.costs[chart] = e.target.value; refresh(); }));
  byId("label-all").addEventListener("change", (e) => { state.labelAll = e.target.checked; drawAll(); });
  byId("filter").addEventListener("input", (e) => { state.filter = e.target.value; table(); });
  byId("front-only").addEventListener("change", (e) => { state.frontOnly = e.target.checked; table(); });
  window.addEventListener("beforeprint", drawAll);
  legend();
  refresh();
  document.body.dataset.ready = String(rows.length);
})();
