// The form works without this script. With it the image is shown, can be dropped, and the result
// appears without leaving the page: the form is sent in the background, and the part of the
// answered page that holds the result takes the place of the old one.

import { offerExplanation } from "./explanation.js";

const byId = (id) => document.getElementById(id);
const form = byId("upload");
const input = byId("file");
const dropZone = byId("drop-zone");
const preview = byId("preview");

let previewUrl = null;

function showChosenFile() {
  const file = input.files[0];
  if (previewUrl) URL.revokeObjectURL(previewUrl);
  previewUrl = file ? URL.createObjectURL(file) : null;
  preview.hidden = !file;
  if (file) preview.src = previewUrl;
  byId("prompt").hidden = Boolean(file);
  byId("filename").hidden = !file;
  byId("filename").textContent = file ? file.name : "";
  const tooLarge = file && file.size > Number(form.dataset.maxBytes);
  input.setCustomValidity(tooLarge ? "This file is too large." : "");
  input.reportValidity();
}

// Browsers show neither TIFF nor DICOM; the service reads them all the same.
preview.addEventListener("error", () => {
  if (!previewUrl) return;
  preview.hidden = true;
  byId("filename").textContent += " (no preview)";
});

input.addEventListener("change", showChosenFile);

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
  showChosenFile();
});

function showProblem(title, detail) {
  const alert = document.createElement("div");
  alert.className = "alert alert-danger";
  alert.id = "problem";
  alert.role = "alert";
  const heading = document.createElement("h2");
  heading.className = "alert-heading h5";
  heading.textContent = title;
  const text = document.createElement("p");
  text.className = "mb-0";
  text.textContent = detail;
  alert.append(heading, text);
  byId("result").replaceChildren(alert);
}

function setBusy(busy) {
  byId("submit").disabled = busy;
  byId("spinner").hidden = !busy;
  byId("result").setAttribute("aria-busy", String(busy));
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  setBusy(true);
  const file = input.files[0];
  try {
    const response = await fetch(form.action, { method: "POST", body: new FormData(form) });
    if (response.headers.get("content-type").startsWith("text/html")) {
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      byId("result").replaceChildren(...page.getElementById("result").childNodes);
      offerExplanation(file);
    } else {
      const problem = await response.json();
      showProblem(problem.title, problem.detail);
    }
  } catch {
    showProblem("No answer", "The service could not be reached. Check that it runs, and try again.");
  } finally {
    setBusy(false);
    byId("result").focus();
  }
});
