// Shows an image through any window, at any size. The service reads the file, whatever its format,
// and returns the values before windowing.

import { problemInWords, text } from "./texts.js";

const byId = (id) => document.getElementById(id);

const CT_PRESETS = { lung: [-600, 1500], mediastinum: [40, 400], bone: [400, 1800] };
const ZOOM_STEP = 1.5;
const MAX_ZOOM = 8;
// How much a drag by one pixel changes level and width, as a share of the range.
const DRAG_SHARE = 1 / 512;

export async function openViewer(item, predictFrame) {
  const viewer = byId("viewer");
  const form = new FormData();
  form.append("file", item.file);
  try {
    const response = await fetch(`${viewer.dataset.url}?${new URLSearchParams(item.options)}`, {
      method: "POST",
      body: form,
    });
    // Meanwhile another image may have been chosen.
    if (byId("viewer") !== viewer) return;
    viewer.hidden = false;
    if (!response.ok) {
      showProblem(problemInWords(await response.json()));
      return;
    }
    const view = JSON.parse(response.headers.get("X-View"));
    start(view, new Float32Array(await response.arrayBuffer()));
    offerFrames(view, predictFrame);
  } catch {
    if (byId("viewer") === viewer) showProblem(text("problem.unreachable"));
  }
}

function start(view, values) {
  const range = rangeOf(values);
  // A file with a look-up table instead of a window is shown as a whole.
  const first = view.width ? "image" : "range";
  const seen = view.width
    ? [view.center, view.width]
    : [(range.low + range.high) / 2, range.high - range.low];
  const presets = { [first]: seen, ...(view.hounsfield ? CT_PRESETS : {}) };
  const canvas = byId("picture");
  canvas.width = view.columns;
  canvas.height = view.rows;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(view.columns, view.rows);
  let [level, width] = seen;
  let zoom = 1;

  function draw() {
    const low = level - width / 2;
    const scale = 255 / width;
    for (let index = 0; index < values.length; index += 1) {
      // The array clamps to 0 to 255.
      const grey = (values[index] - low) * scale;
      const shown = view.inverted ? 255 - grey : grey;
      pixels.data[4 * index] = shown;
      pixels.data[4 * index + 1] = shown;
      pixels.data[4 * index + 2] = shown;
      pixels.data[4 * index + 3] = 255;
    }
    context.putImageData(pixels, 0, 0);
    byId("level").value = level;
    byId("width").value = width;
    byId("level-label").textContent = text("viewer.level", { value: Math.round(level) });
    byId("width-label").textContent = text("viewer.width", { value: Math.round(width) });
  }

  function choose(newLevel, newWidth, preset = "own") {
    level = Math.min(Math.max(newLevel, range.low), range.high);
    width = Math.min(Math.max(newWidth, range.step), 2 * (range.high - range.low));
    byId("preset").value = preset;
    requestAnimationFrame(draw);
  }

  function setZoom(wanted) {
    zoom = Math.min(Math.max(wanted, 1), MAX_ZOOM);
    byId("stage").style.width = `${100 * zoom}%`;
    byId("zoom-out").disabled = zoom === 1;
    byId("zoom-reset").disabled = zoom === 1;
    byId("zoom-in").disabled = zoom === MAX_ZOOM;
  }

  for (const [id, low, high] of [
    ["level", range.low, range.high],
    ["width", range.step, 2 * (range.high - range.low)],
  ]) {
    Object.assign(byId(id), { min: low, max: high, step: range.step });
  }
  byId("preset").replaceChildren(
    ...[...Object.keys(presets), "own"].map((name) => new Option(text(`viewer.preset.${name}`), name)),
  );
  byId("preset").addEventListener("change", ({ target }) => {
    if (presets[target.value]) choose(...presets[target.value], target.value);
  });
  byId("level").addEventListener("input", ({ target }) => choose(Number(target.value), width));
  byId("width").addEventListener("input", ({ target }) => choose(level, Number(target.value)));
  byId("zoom-in").addEventListener("click", () => setZoom(zoom * ZOOM_STEP));
  byId("zoom-out").addEventListener("click", () => setZoom(zoom / ZOOM_STEP));
  byId("zoom-reset").addEventListener("click", () => setZoom(1));
  byId("stage").addEventListener("pointermove", (event) => {
    // On touch screens a drag scrolls the page; the sliders set the window.
    if (event.pointerType !== "mouse" || !(event.buttons & 1)) return;
    const each = (range.high - range.low) * DRAG_SHARE;
    choose(level + event.movementY * each, width + event.movementX * each);
  });
  byId("stage").addEventListener("dragstart", (event) => event.preventDefault());
  setZoom(1);
  byId("preset").value = first;
  draw();
}

function rangeOf(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low === high) high = low + 1;
  return { low, high, step: Math.min(1, (high - low) / 256) };
}

function offerFrames({ frame, frames }, predictFrame) {
  if (frames === 1) return;
  byId("frame-form").hidden = false;
  byId("frame-label").textContent = text("viewer.frame", { frames });
  Object.assign(byId("frame"), { max: frames, value: frame });
  byId("frame-form").addEventListener("submit", (event) => {
    event.preventDefault();
    predictFrame(byId("frame").value);
  });
}

function showProblem(words) {
  byId("viewer-problem").textContent = words;
  byId("viewer-problem").hidden = false;
}
