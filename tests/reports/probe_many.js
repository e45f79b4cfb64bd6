// The same page with very many designs.
const errors = [];
window.addEventListener("error", (event) => errors.push(event.message));
window.addEventListener("load", () => setTimeout(() => {
  const byId = (id) => document.getElementById(id);
  const result = {
    points: byId("chart-0").data[1].x.length,
    rows: document.querySelectorAll("#table tbody tr").length,
    listed: byId("count").textContent,
    front: byId("chart-0").data[0].x.length,
  };
  [...document.querySelectorAll("#table th")].find((th) => th.textContent.startsWith("Area")).click();
  result.smallest = document.querySelector("#table tbody tr").cells[1].textContent;
  const limit = document.querySelector("#limits input[data-column=area_um2_per_mac]");
  limit.value = [...document.querySelectorAll("#table tbody tr")][99].cells[4].textContent;
  result.typed = limit.value;
  limit.dispatchEvent(new Event("input"));
  result.limited = byId("wanted").textContent;
  result.errors = errors;
  const box = document.createElement("pre");
  box.id = "probe";
  box.textContent = JSON.stringify(result);
  document.body.append(box);
}, 1000));
