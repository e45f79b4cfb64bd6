// A page that lacks tasks or costs.
const errors = [];
window.addEventListener("error", (event) => errors.push(event.message));
window.addEventListener("load", () => setTimeout(() => {
  const value = (name, chart) => document.querySelectorAll(`select.${name}`)[chart].value;
  const result = {
    errors,
    axes: [0, 1].map((chart) => [value("cost", chart), value("against", chart)]),
    chartsHidden: document.querySelector(".charts").hidden,
    taskHidden: document.getElementById("accuracy").parentElement.hidden,
    points: document.querySelectorAll("#chart-0 .scatterlayer .point").length,
  };
  const box = document.createElement("pre");
  box.id = "probe";
  box.textContent = JSON.stringify(result);
  document.body.append(box);
}, 500));
