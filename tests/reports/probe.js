// Uses the report page as a reader would and leaves what it saw in an element for the test.
const errors = [];
window.addEventListener("error", (event) => errors.push(event.message));
window.addEventListener("load", () => setTimeout(() => {
  const rows = () => [...document.querySelectorAll("#table tbody tr")].map((tr) => tr.cells[1].textContent);
  const points = (chart) => document.querySelectorAll(`#chart-${chart} .scatterlayer .point`).length;
  const set = (element, value) => {
    if (element.type === "checkbox") element.checked = value; else element.value = value;
    element.dispatchEvent(new Event(["search", "number"].includes(element.type) ? "input" : "change"));
  };
  const byId = (id) => document.getElementById(id);
  const result = { ready: document.body.dataset.ready, rows: rows().length, points: [points(0), points(1)] };
  result.network = performance.getEntriesByType("resource").map((entry) => entry.name);
  const head = (text) => [...document.querySelectorAll("#table th")].find((th) => th.textContent.startsWith(text));
  head("Area").click();
  result.byArea = rows();
  head("Area").click();
  result.byAreaDown = rows();
  set(byId("filter"), "E5M2 /64");
  result.filtered = rows();
  set(byId("filter"), "");
  set(byId("front-only"), true);
  result.front = rows();

  // constraints: what they leave, and the front of it
  const limit = (column) => document.querySelector(`#limits input[data-column=${column}]`);
  result.limits = [...document.querySelectorAll("#limits input")].map((input) => input.dataset.column);
  set(limit("area_um2_per_mac"), 40);
  set(limit("smollm2_nll_change_per_token"), 0.3);
  result.limitedFront = rows();
  set(byId("front-only"), false);
  result.limited = rows();
  result.wanted = byId("wanted").textContent;
  result.limitedPoints = points(0);
  byId("clear").click();
  result.cleared = [rows().length, limit("area_um2_per_mac").value];
  result.families = [...document.querySelectorAll("#families button")].map((button) => button.dataset.family);
  document.querySelector("#families button[data-family=integer]").click();
  result.integers = rows();
  byId("clear").click();
  set(byId("checked-only"), true);
  result.checkedOnly = rows();
  byId("clear").click();

  // axes
  const y = document.querySelectorAll("select.against")[0], x = document.querySelectorAll("select.cost")[0];
  set(y, "delay_ps");
  set(x, "area_um2_per_mac");
  const drawn = (trace) => document.getElementById("chart-0").data[trace];
  result.areaAgainstDelay = [Math.min(...drawn(1).x), Math.max(...drawn(1).y)];
  set(byId("logarithmic"), true);
  result.logarithm = drawn(1).x[0];
  set(byId("logarithmic"), false);
  set(byId("accuracy"), byId("accuracy").options[0].value);
  set(x, "energy_pj_per_mac");
  result.hypervolume = byId("hypervolume").hidden ? null : byId("chart-hypervolume").data[0].y;

  // two designs side by side
  const pick = (design) => [...document.querySelectorAll("#table tbody tr")]
    .find((tr) => tr.cells[1].textContent === design).querySelector("button.pick").click();
  pick("e4m3:exact");
  pick("e5m2:e6m9/64");
  const columns = [...document.querySelectorAll(".side-by-side > div")];
  result.compared = columns.map((column) => ({
    design: column.querySelector("code").textContent,
    words: [...column.querySelectorAll(".word")].map((word) => [
      word.querySelector(".role").textContent, word.querySelector(".name").textContent,
      [...word.querySelectorAll(".field")].map((field) => field.title), +word.querySelector(".count").textContent]),
    parts: [...column.querySelectorAll(".parts li")].map((li) => li.textContent),
    file: column.querySelector(".export").download,
    toml: decodeURIComponent(column.querySelector(".export").href.split(",").slice(1).join(",")),
  }));
  result.figures = [...document.querySelectorAll("table.figures tbody tr")]
    .map((tr) => [...tr.cells].map((td) => td.textContent));
  result.rings = document.getElementById("chart-0").data.at(-1).text;
  pick("e3m2:exact"); // a third one takes the place of the first
  result.comparedThen = [...document.querySelectorAll(".design-head code")].map((code) => code.textContent);
  document.querySelector(".design-head .remove").click();
  result.comparedLast = [...document.querySelectorAll(".design-head code")].map((code) => code.textContent);

  result.links = [...document.querySelectorAll("#table tbody a")].map((a) => a.getAttribute("href"));
  result.text = document.querySelector("#table tbody").textContent;
  const energy = byId("energy");
  result.bars = document.querySelectorAll("#chart-energy .barlayer .point").length;
  result.energyMarks = document.querySelectorAll("#chart-energy .scatterlayer .point").length;
  result.energyHidden = [energy.hidden];
  set(byId("technology"), "ice40");
  result.energyHidden.push(energy.hidden);
  result.comparedElsewhere = [...document.querySelectorAll(".design-head code")].map((code) => code.textContent);
  document.querySelector(".design-head .remove").click();
  result.costs = [...document.querySelector("select.cost").options].map((option) => option.value);
  result.points.push(points(0));
  set(byId("accuracy"), "g2p_phoneme_error_percent");
  document.querySelector("#legend button").click();
  setTimeout(() => {
    result.labels = document.querySelectorAll("#chart-0 .annotation").length;
    result.errors = errors;
    const box = document.createElement("pre");
    box.id = "probe";
    box.textContent = JSON.stringify(result);
    document.body.append(box);
  }, 500);
}, 500));
