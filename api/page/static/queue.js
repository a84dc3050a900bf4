// The images of this browser session: waiting, in progress, and done. A few are sent at a time.
// Results are kept in the tab's session storage, images only while the page is open.

import { saveCsv, saveJson } from "./downloads.js";
import { keep, kept } from "./history.js";
import { percent, text } from "./texts.js";

const AT_ONCE = 2;

const byId = (id) => document.getElementById(id);

export class Queue {
  #url;
  #show;
  #items = [];
  #shown = null;
  #working = 0;

  // `show` is called with the item to show, or with null.
  constructor(url, show) {
    this.#url = url;
    this.#show = show;
    this.#items = kept();
    byId("csv").addEventListener("click", () => saveCsv(this.#done()));
    byId("json").addEventListener("click", () => saveJson(this.#done()));
    byId("clear").addEventListener("click", () => this.#clear());
    this.#render();
  }

  // Send files; the first of them is shown.
  add(files) {
    const items = files.map((file) => ({ name: file.name, file, options: {}, state: "waiting" }));
    this.#items.push(...items);
    this.#shown = items[0] ?? null;
    this.#render();
    this.#work();
  }

  // Send an item again, with other options.
  again(item, options) {
    // Already sent: a second click.
    if (item.state !== "done") return;
    Object.assign(item, { options: { ...item.options, ...options }, state: "waiting" });
    this.#shown = item;
    this.#render();
    this.#work();
  }

  #done() {
    return this.#items.filter((item) => item.state === "done");
  }

  #clear() {
    this.#items = this.#items.filter((item) => item.state !== "done");
    this.#shown = null;
    keep([]);
    this.#render();
    this.#show(null);
    byId("file").focus();
  }

  #work() {
    while (this.#working < AT_ONCE) {
      const item = this.#items.find((each) => each.state === "waiting");
      if (!item) break;
      item.state = "working";
      this.#working += 1;
      this.#ask(item).finally(() => {
        this.#working -= 1;
        keep(this.#done());
        this.#render();
        if (item === this.#shown) this.#show(item);
        this.#work();
      });
    }
    this.#render();
  }

  async #ask(item) {
    const form = new FormData();
    form.append("file", item.file);
    for (const [name, value] of Object.entries(item.options)) form.append(name, value);
    Object.assign(item, { html: null, answer: null, problem: null });
    try {
      const response = await fetch(this.#url, { method: "POST", body: form });
      if (response.headers.get("content-type").startsWith("text/html")) {
        const page = new DOMParser().parseFromString(await response.text(), "text/html");
        item.html = page.getElementById("result").innerHTML;
        const { answer } = page.getElementById("answer")?.dataset ?? {};
        const { problem } = page.getElementById("problem")?.dataset ?? {};
        item.answer = answer ? JSON.parse(answer) : null;
        item.problem = problem ? JSON.parse(problem) : null;
      } else {
        item.problem = await response.json();
      }
    } catch {
      item.problem = {
        type: "unreachable",
        title: text("problem.no_answer"),
        detail: "",
        reasons: [],
      };
    }
    item.state = "done";
    item.at = new Date().toISOString();
  }

  #render() {
    const done = this.#done().length;
    const count = this.#items.length;
    byId("queue").hidden = count === 0;
    byId("queue-progress").max = Math.max(1, count);
    byId("queue-progress").value = done;
    byId("queue-status").textContent = text("queue.progress", { done, count });
    byId("result").setAttribute("aria-busy", String(this.#shown !== null && this.#shown.state !== "done"));
    for (const id of ["csv", "json", "clear"]) byId(id).disabled = done === 0;
    byId("items").replaceChildren(...this.#items.map((item) => this.#row(item)));
  }

  #row(item) {
    const row = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn w-100 text-start d-flex flex-wrap justify-content-between gap-2";
    button.disabled = item.state !== "done";
    if (item === this.#shown) button.setAttribute("aria-current", "true");
    const name = document.createElement("span");
    name.className = "text-break";
    name.textContent = item.name;
    const badge = document.createElement("span");
    badge.className = `badge align-self-center ${colour(item)}`;
    badge.textContent = outcome(item);
    button.append(name, badge);
    button.addEventListener("click", () => {
      this.#shown = item;
      this.#render();
      this.#show(item);
    });
    row.append(button);
    return row;
  }
}

function outcome({ state, answer, problem }) {
  if (state !== "done") return text(`queue.${state}`);
  if (problem) return text(problem.reasons?.length ? "queue.rejected" : "queue.failed");
  const { prediction, confidence, review } = answer;
  const key = review ? "queue.verdict_review" : "queue.verdict";
  return text(key, { prediction, percent: percent(confidence) });
}

function colour({ state, answer }) {
  if (state !== "done") return "text-bg-secondary";
  if (!answer) return "text-bg-warning";
  return answer.prediction === "COVID" ? "text-bg-danger" : "text-bg-success";
}
