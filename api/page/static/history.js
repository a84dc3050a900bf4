// Results, kept in the tab's session storage: they survive a reload and end with the tab.

const KEY = "covidscan.answers";
const MOST = 200;

export function keep(items) {
  const answers = items
    .slice(-MOST)
    .map(({ name, at, html, answer, problem }) => ({ name, at, html, answer, problem }));
  while (answers.length) {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(answers));
      return;
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
      answers.shift();
    }
  }
  sessionStorage.removeItem(KEY);
}

export function kept() {
  const answers = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
  return answers.map((answer) => ({ ...answer, file: null, options: {}, state: "done" }));
}
