// The page's texts, the same as in the service's templates.

const texts = JSON.parse(document.getElementById("texts").textContent);

export function text(key, values = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export function percent(probability) {
  return `${(Math.floor(1000 * probability) / 10).toFixed(1)} %`;
}

export function problemInWords(problem) {
  return texts[`problem.${problem.type.split(":").pop()}`] ?? text("problem.other");
}
