// Two designs side by side: their words bit by bit, figures, area by module, energy by part; and
// each as a file that the command line takes.
const FIELD_NAMES = {
  sign: "sign", exponent: "exponent", fraction: "fraction", integer: "integer", headroom: "headroom",
  flags: "NaN, infinity", regime: "regime", digits: "digits",
};
const MODULE_COLOURS = ["#1769aa", "#d98200", "#1b8a5a", "#7a3fa0", "#18a5b8", "#c2334d", "#8aa62b", "#9a6a43", "#5b6abf"];
const REST_COLOUR = "#b8c0c8";

const toggleSelected = (index) => {
  if (state.selected.includes(index)) state.selected = state.selected.filter((other) => other !== index);
  else state.selected = [...state.selected.slice(-1), index];
  drawCharts();
  table();
  compare();
};

const designToml = (row) => {
  const file = `${row.design_id}.toml`;
  const figures = metricsHere().filter((metric) => has(row, metric.column))
    .map((metric) => `#   ${metric.short}: ${shown(row, metric)} ${metric.unit}`);
  const isPriced = row.technology !== "none";
  const label = data.technology_labels[row.technology] || row.technology;
  const text = (value) => JSON.stringify(String(value));
  // "block ceil" is the rule ceil; "row" is what a sweep does by itself
  const scaling = (row.scaling || "").split(", ").map((rule) => rule.replace("block ", "")).filter((rule) => rule && rule !== "row");
  return [
    `# ${row.design}, chosen from a Macsmith report.${figures.length ? ` There${isPriced ? `, in ${label}` : ""}:` : ""}`,
    ...figures, "#",
    `#     macsmith verify ${file}`,
    `#     macsmith synth ${file}${isPriced ? ` --tech ${row.technology}` : ""}`,
    `#     macsmith explore ${file}`,
    `designs = [${text(row.design)}]`,
    ...(isPriced ? [`technologies = [${text(row.technology)}]`] : []),
    ...(scaling.length ? [`scaling = [${scaling.map(text).join(", ")}]`] : []), "",
  ].join("\n").replace(/[\r\u0000-\u0008]/g, "");
};

const drawWord = ([role, name, fields], mostBits) => {
  const bits = fields.reduce((sum, [, width]) => sum + width, 0);
  const cells = fields.map(([kind, width]) =>
    `<span class="field ${kind}" style="flex:${width}" title="${width} bit${width > 1 ? "s" : ""}: ${FIELD_NAMES[kind]}">` +
    `${width > 1 || mostBits < 24 ? width : ""}</span>`).join("");
  return `<div class="word"><span class="role">${escaped(role)}</span><span class="name">${escaped(name)}</span>` +
    `<span class="bits" style="width:calc(${(100 * bits) / mostBits}% )">${cells}</span><span class="count">${bits}</span></div>`;
};

const drawSplit = (parts, most, unit, decimals) => {
  const total = parts.reduce((sum, part) => sum + part.value, 0);
  if (!total) return "<p class='note'>not measured</p>";
  const bar = parts.map((part) => `<span style="flex:${(1000 * part.value) / total};background:${part.colour}" ` +
    `title="${escaped(part.name)}: ${number(part.value, decimals)} ${unit}"></span>`).join("");
  const list = parts.map((part) => `<li><i style="background:${part.colour}"></i>${escaped(part.name)}` +
    `<b>${number(part.value, decimals)}</b><span>${number((100 * part.value) / total, 1)} %</span></li>`).join("");
  return `<div class="split" style="width:${(100 * total) / most}%">${bar}</div><ul class="parts">${list}</ul>`;
};
const colourOfModule = (() => {
  const colours = new Map();
  return (name) => {
    if (!colours.has(name)) colours.set(name, MODULE_COLOURS[colours.size % MODULE_COLOURS.length]);
    return colours.get(name);
  };
})();
const areaParts = (row) => {
  const modules = data.modules[row.index];
  const parts = modules.slice(0, 8).map(([name, instances, area]) =>
    ({ name: instances > 1 ? `${name} × ${instances}` : name, value: area, colour: colourOfModule(name) }));
  const rest = modules.slice(8).reduce((sum, [, , area]) => sum + area, 0);
  return rest > 0 ? [...parts, { name: "others", value: rest, colour: REST_COLOUR }] : parts;
};
const energyParts = (row) => data.energy_parts.filter((part) => row[part.column] > 0)
  .map((part) => ({ name: part.label, value: row[part.column], colour: part.colour }));
const sumOf = (parts) => parts.reduce((sum, part) => sum + part.value, 0);

const ratioText = (a, b, metric) => {
  if (!has(a, metric.column) || !has(b, metric.column)) return ["", ""];
  const [first, second] = [a[metric.column], b[metric.column]];
  if (metric.scale === "change" || first <= 0) {
    const change = second - first;
    return [`${change > 0 ? "+" : ""}${number(change, metric.decimals).replace("-", "−")}`, change < 0 ? "better" : change > 0 ? "worse" : ""];
  }
  const percent = 100 * (second / first - 1);
  return [`${percent > 0 ? "+" : ""}${number(percent, 1).replace("-", "−")} %`, percent < 0 ? "better" : percent > 0 ? "worse" : ""];
};

const designHead = (row, place) => {
  const href = `data:application/toml;charset=utf-8,${encodeURIComponent(designToml(row))}`;
  return `<div class="design-head"><span class="badge" style="background:${SELECTED_COLOURS[place]}">${"AB"[place]}</span>` +
    `<code>${escaped(row.design)}</code><span class="actions">` +
    `<a class="export" download="${escaped(row.design_id)}.toml" href="${escaped(href)}">TOML</a>` +
    (row.verilog ? `<a href="${escaped(encodeURI(row.verilog))}">Verilog</a>` : "") +
    `<button class="remove" aria-label="remove from the comparison">×</button></span></div>`;
};

const compare = () => {
  const box = byId("compare-body");
  const chosen = state.selected.map((index) => rows[index]);
  byId("compare").classList.toggle("empty", chosen.length === 0);
  if (!chosen.length) {
    box.innerHTML = "<p class='note'>Click two marks in the charts, or + in the table, to see two designs side by side.</p>";
    return;
  }
  const words = chosen.map((row) => data.words.values[data.words.codes[row.index]]);
  const widthOf = ([, , fields]) => fields.reduce((sum, [, width]) => sum + width, 0);
  const mostBits = Math.max(...words.flat().map(widthOf));
  const areas = chosen.map(areaParts), energies = chosen.map(energyParts);
  const mostArea = Math.max(...areas.map(sumOf)), mostEnergy = Math.max(...energies.map(sumOf));
  const column = (row, place) => [
    designHead(row, place),
    "<h3>Words, bit by bit</h3>",
    `<div class="words">${words[place].map((word) => drawWord(word, mostBits)).join("")}</div>`,
    ...(mostArea > 0 ? ["<h3>Area by module, µm²</h3>", drawSplit(areas[place], mostArea, "µm²", 1)] : []),
    ...(mostEnergy > 0 ? ["<h3>Energy by part, pJ per MAC</h3>", drawSplit(energies[place], mostEnergy, "pJ", 4)] : []),
  ].join("");
  const [a, b] = chosen;
  const figures = metricsHere().filter((metric) => chosen.some((row) => has(row, metric.column))).map((metric) => {
    const [difference, kind] = b ? ratioText(a, b, metric) : ["", ""];
    return `<tr><td class="left">${escaped(metric.label)}</td>` +
      chosen.map((row) => `<td>${escaped(shown(row, metric))}</td>`).join("") +
      (b ? `<td class="${kind}">${escaped(difference)}</td>` : "") + `<td class="left unit">${escaped(metric.unit)}</td></tr>`;
  }).join("");
  const texts = [["Stages", "stages"], ["Lanes", "lanes"], ["Form", "form"], ["Recipe", "recipe"], ["Checked", "checked"]]
    .filter(([, name]) => chosen.some((row) => row[name] !== undefined))
    .map(([head, name]) => `<tr><td class="left">${head}</td>` +
      chosen.map((row) => `<td>${escaped(row[name] === undefined ? "–" : row[name])}</td>`).join("") +
      `${b ? "<td></td>" : ""}<td></td></tr>`).join("");
  box.innerHTML =
    `<div class="fields-legend">${Object.entries(FIELD_NAMES).filter(([kind]) => words.flat().some(([, , fields]) => fields.some(([k]) => k === kind)))
      .map(([kind, name]) => `<span><i class="field ${kind}"></i>${name}</span>`).join("")}</div>` +
    `<div class="side-by-side">${chosen.map((row, place) => `<div>${column(row, place)}</div>`).join("")}` +
    `${b ? "" : "<div class='note'>Pick a second design.</div>"}</div>` +
    `<div class="scroll"><table class="figures"><thead><tr><th class="left">Figure</th>` +
    chosen.map((_, place) => `<th>${"AB"[place]}</th>`).join("") + (b ? "<th>B against A</th>" : "") +
    `<th></th></tr></thead><tbody>${figures}${texts}</tbody></table></div>`;
  box.querySelectorAll("button.remove").forEach((button, place) =>
    button.addEventListener("click", () => toggleSelected(state.selected[place])));
};
