// The form works without this script. With it several images can be chosen or dropped; each is sent
// in the background, and the part of the returned page that holds the result is shown here.

import { Queue } from "./queue.js";
import { showResult } from "./result.js";
import { text } from "./texts.js";
import { followTraining } from "./training.js";

const byId = (id) => document.getElementById(id);
const form = byId("upload");
const input = byId("file");
const dropZone = byId("drop-zone");
const preview = byId("preview");

let previewUrl = null;

const queue = new Queue(form.action, (item) => showResult(item, queue));

function showChosenFiles() {
  const files = [...input.files];
  const only = files.length === 1 ? files[0] : null;
  if (previewUrl) URL.revokeObjectURL(previewUrl);
  previewUrl = only ? URL.createObjectURL(only) : null;
  preview.hidden = !only;
  if (only) preview.src = previewUrl;
  byId("prompt").hidden = files.length > 0;
  byId("filename").textContent = only?.name ?? text("form.files", { count: files.length });
  byId("filename").hidden = files.length === 0;
  const tooLarge = files.find((file) => file.size > Number(form.dataset.maxBytes));
  input.setCustomValidity(tooLarge ? text("form.too_large", { name: tooLarge.name }) : "");
  input.reportValidity();
}

// Browsers show neither TIFF nor DICOM; the service reads them all the same.
preview.addEventListener("error", () => {
  if (!previewUrl) return;
  preview.hidden = true;
  byId("filename").textContent = text("form.no_preview", { name: input.files[0].name });
});

input.multiple = true;
input.addEventListener("change", showChosenFiles);

for (const name of ["dragenter", "dragover"]) {
  dropZone.addEventListener(name, (event) => {
    event.preventDefault();
    dropZone.classList.add("dragged-over");
  });
}
for (const name of ["dragleave", "drop"]) {
  dropZone.addEventListener(name, () => dropZone.classList.remove("dragged-over"));
}
dropZone.addEventListener("drop", (event) => {
  event.preventDefault();
  if (!event.dataTransfer.files.length) return;
  input.files = event.dataTransfer.files;
  showChosenFiles();
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  queue.add([...input.files]);
  form.reset();
  showChosenFiles();
});

followTraining();
