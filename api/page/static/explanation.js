// Requests saliency maps of the shown image, and overlays them.

import { problemInWords, text } from "./texts.js";

const byId = (id) => document.getElementById(id);

const ROWS = ["top", "middle", "bottom"];
const COLUMNS = ["left", "centre", "right"];
const LEAST = 0.01;

export function offerExplanation(item) {
  byId("explanation").hidden = false;
  byId("explain").addEventListener("click", () => explain(item));
}

async function explain(item) {
  const section = byId("explanation");
  setBusy(true);
  byId("explain-problem").hidden = true;
  try {
    const form = new FormData();
    form.append("file", item.file);
    const response = await fetch(`${section.dataset.url}?${new URLSearchParams(item.options)}`, {
      method: "POST",
      body: form,
    });
    const answer = await response.json();
    // Meanwhile another image may have been chosen.
    if (byId("explanation") !== section) return;
    if (response.ok) show(answer.maps.filter((map) => map.heatmap));
    else showProblem(problemInWords(answer));
  } catch {
    if (byId("explanation") === section) showProblem(text("problem.unreachable"));
  } finally {
    if (byId("explanation") === section) setBusy(false);
  }
}

function show(maps) {
  const chosen = () => maps.find((map) => map.name === byId("map").value);
  byId("map").replaceChildren(...maps.map(({ name }) => new Option(text(`model.${name}`), name)));
  byId("map").addEventListener("change", () => showMap(chosen()));
  byId("opacity").addEventListener("input", showOpacity);
  byId("explain").hidden = true;
  byId("maps").hidden = false;
  byId("heatmap").hidden = false;
  showMap(chosen());
  showOpacity();
}

function showMap(map) {
  byId("heatmap").src = `data:image/png;base64,${map.heatmap}`;
  byId("map-summary").textContent = summary(map.values);
}

// Describes the colours in words, for people who cannot see them.
function summary(values) {
  const cells = values.flatMap((row, y) => row.map((value, x) => ({ value, x, y })));
  const strongest = cells.reduce((best, cell) => (cell.value > best.value ? cell : best));
  if (strongest.value < LEAST) return text("explanation.none");
  const row = ROWS[Math.floor((3 * strongest.y) / values.length)];
  const column = COLUMNS[Math.floor((3 * strongest.x) / values[0].length)];
  return text("explanation.strongest", {
    row: text(`explanation.${row}`),
    column: text(`explanation.${column}`),
    points: Math.round(100 * strongest.value),
  });
}

function showOpacity() {
  byId("heatmap").style.opacity = byId("opacity").value / 100;
}

function showProblem(words) {
  byId("explain-problem").textContent = words;
  byId("explain-problem").hidden = false;
}

function setBusy(busy) {
  byId("explain").disabled = busy;
  byId("explain-spinner").hidden = !busy;
  byId("explanation").setAttribute("aria-busy", String(busy));
}
