// Shows the progress of the demo training, and which models are ready.

import { text } from "./texts.js";

const POLL_MILLISECONDS = 2000;

let known = null;

async function showProgress() {
  const notice = document.getElementById("training");
  if (!notice) return;
  const readiness = await fetch(notice.dataset.readiness).then((response) => response.json());
  const states = JSON.stringify([readiness.models, readiness.training?.status]);
  if (known !== states) await showModels();
  known = states;
  const { training } = readiness;
  const left = document.getElementById("training-left");
  if (training?.status !== "running" || !left) return;
  document.getElementById("look-again").hidden = true;
  const percent = Math.round(100 * training.share);
  const seconds = Math.round(training.remaining_seconds);
  left.textContent = text("training.left", { percent, seconds });
  document.getElementById("training-share").value = training.share;
}

// Replaces the whole section with a newly rendered one.
async function showModels() {
  const page = await fetch(location.pathname).then((response) => response.text());
  const fresh = new DOMParser().parseFromString(page, "text/html").getElementById("result");
  const result = document.getElementById("result");
  if (fresh && document.getElementById("model-list")) result.replaceChildren(...fresh.childNodes);
}

export function followTraining() {
  if (!document.getElementById("training")) return;
  const timer = setInterval(async () => {
    // The service may be down for a moment; the next poll tries again.
    await showProgress().catch(() => {});
    if (!document.getElementById("training")) clearInterval(timer);
  }, POLL_MILLISECONDS);
}
