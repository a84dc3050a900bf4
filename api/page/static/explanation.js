// Asks for saliency maps of the image that was answered last, and lays them over it.

const byId = (id) => document.getElementById(id);

const ROWS = ["top", "middle", "bottom"];
const COLUMNS = ["left", "centre", "right"];

let maps = [];

export function offerExplanation(file) {
  const section = byId("explanation");
  if (!section) return;
  section.hidden = false;
  byId("explain").addEventListener("click", () => explain(file));
}

async function explain(file) {
  setBusy(true);
  byId("explain-problem").hidden = true;
  try {
    const form = new FormData();
    form.append("file", file);
    const response = await fetch(byId("explanation").dataset.url, { method: "POST", body: form });
    const answer = await response.json();
    if (response.ok) show(answer);
    else showProblem(answer.detail);
  } catch {
    showProblem("The service could not be reached. Check that it runs, and try again.");
  } finally {
    setBusy(false);
  }
}

function show(answer) {
  const labels = JSON.parse(byId("explanation").dataset.labels);
  maps = answer.maps.filter((map) => map.heatmap);
  byId("picture").src = `data:image/png;base64,${answer.picture}`;
  byId("map").replaceChildren(
    ...maps.map((map) => new Option(labels[map.name] ?? "The ensemble", map.name)),
  );
  byId("map").addEventListener("change", showMap);
  byId("opacity").addEventListener("input", showOpacity);
  byId("explain").hidden = true;
  byId("maps").hidden = false;
  showMap();
  showOpacity();
}

function showMap() {
  const map = maps.find((each) => each.name === byId("map").value);
  byId("heatmap").src = `data:image/png;base64,${map.heatmap}`;
  byId("map-summary").textContent = summary(map.values);
}

// What the colours show, for those who do not see them.
function summary(values) {
  const cells = values.flatMap((row, y) => row.map((value, x) => ({ value, x, y })));
  const strongest = cells.reduce((best, cell) => (cell.value > best.value ? cell : best));
  if (strongest.value < 0.01) return "No part of the image speaks for COVID-19.";
  const row = ROWS[Math.floor((3 * strongest.y) / values.length)];
  const column = COLUMNS[Math.floor((3 * strongest.x) / values[0].length)];
  const points = Math.round(100 * strongest.value);
  return `The strongest part is at the ${row} ${column}: with it shown, the probability of COVID-19
    is ${points} percentage point${points === 1 ? "" : "s"} higher than with it hidden.`;
}

function showOpacity() {
  byId("heatmap").style.opacity = byId("opacity").value / 100;
}

function showProblem(text) {
  byId("explain-problem").textContent = text;
  byId("explain-problem").hidden = false;
}

function setBusy(busy) {
  byId("explain").disabled = busy;
  byId("explain-spinner").hidden = !busy;
  byId("explanation").setAttribute("aria-busy", String(busy));
}
