// Uses the report page as a reader would and leaves what it saw in an element for the test.
const errors = [];
window.addEventListener("error", (event) => errors.push(event.message));
window.addEventListener("load", () => setTimeout(() => {
  const rows = () => [...document.querySelectorAll("tbody tr")].map((tr) => tr.cells[0].textContent);
  const points = (chart) => document.querySelectorAll(`#chart-${chart} .scatterlayer .point`).length;
  const set = (element, value) => {
    if (element.type === "checkbox") element.checked = value; else element.value = value;
    element.dispatchEvent(new Event(element.type === "search" ? "input" : "change"));
  };
  const result = { ready: document.body.dataset.ready, rows: rows().length, points: [points(0), points(1)] };
  const head = (text) => [...document.querySelectorAll("th")].find((th) => th.textContent.startsWith(text));
  head("Area").click();
  result.byArea = rows();
  head("Area").click();
  result.byAreaDown = rows();
  set(document.getElementById("filter"), "E5M2 /64");
  result.filtered = rows();
  set(document.getElementById("filter"), "");
  set(document.getElementById("front-only"), true);
  result.front = rows();
  set(document.getElementById("front-only"), false);
  result.links = [...document.querySelectorAll("tbody a")].map((a) => a.getAttribute("href"));
  result.text = document.querySelector("tbody").textContent;
  const energy = document.getElementById("energy");
  result.bars = document.querySelectorAll("#chart-energy .barlayer .point").length;
  result.energyMarks = document.querySelectorAll("#chart-energy .scatterlayer .point").length;
  result.energyHidden = [energy.hidden];
  set(document.getElementById("technology"), "ice40");
  result.energyHidden.push(energy.hidden);
  result.costs = [...document.querySelector("select.cost").options].map((option) => option.value);
  result.points.push(points(0));
  set(document.getElementById("accuracy"), "g2p_phoneme_error_percent");
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
