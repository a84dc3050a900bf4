// Shows the result of one image, and the actions for it.

import { saveJson } from "./downloads.js";
import { offerExplanation } from "./explanation.js";
import { problemInWords, text } from "./texts.js";
import { openViewer } from "./viewer.js";

const byId = (id) => document.getElementById(id);

export function showResult(item, queue) {
  const result = byId("result");
  if (!item) {
    result.replaceChildren();
    return;
  }
  if (item.html) {
    const page = new DOMParser().parseFromString(item.html, "text/html");
    result.replaceChildren(...page.body.childNodes);
  } else {
    showProblem(item.problem);
  }
  if (item.answer) showAnswer(item, queue);
  offerForce(item, queue);
  result.focus();
}

function showAnswer(item, queue) {
  const time = new Date(item.at).toLocaleString(document.documentElement.lang);
  byId("answered-at").textContent = text("report.time", { time });
  byId("report").hidden = false;
  byId("print").addEventListener("click", () => print());
  byId("download").addEventListener("click", () => saveJson([item]));
  if (item.file) {
    openViewer(item, (frame) => queue.again(item, { frame }));
    offerExplanation(item);
  } else {
    const note = document.createElement("p");
    note.className = "small text-body-secondary mt-3 on-screen";
    note.textContent = text("queue.image_gone");
    byId("answer").after(note);
  }
}

function offerForce(item, queue) {
  const button = byId("force");
  if (!button || !item.file) return;
  button.hidden = false;
  button.addEventListener("click", () => queue.again(item, { force: "true" }));
}

function showProblem(problem) {
  const alert = document.createElement("div");
  alert.className = "alert alert-danger";
  alert.id = "problem";
  alert.role = "alert";
  const heading = document.createElement("h2");
  heading.className = "alert-heading h5";
  heading.textContent = problem.title;
  const words = document.createElement("p");
  words.className = "mb-0";
  words.textContent = problemInWords(problem);
  const detail = document.createElement("p");
  detail.className = "mb-0 small";
  detail.textContent = problem.detail;
  alert.append(heading, words, detail);
  byId("result").replaceChildren(alert);
}
