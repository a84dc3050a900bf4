// Saves results as CSV and JSON files.

const MODELS = ["vgg16", "resnet50", "xception"];

export function saveJson(items) {
  const answers = items.map(({ name, at, answer, problem }) => ({ name, at, answer, problem }));
  save("covidscan.json", "application/json", `${JSON.stringify(answers, null, 2)}\n`);
}

export function saveCsv(items) {
  const rows = items.map(row);
  const lines = [Object.keys(row({})), ...rows.map(Object.values)].map((line) =>
    line.map(cell).join(","),
  );
  save("covidscan.csv", "text/csv", `${lines.join("\r\n")}\r\n`);
}

function row({ name, at, answer, problem }) {
  return {
    file: name,
    time: at,
    prediction: answer?.prediction,
    confidence: answer?.confidence,
    probability_covid: answer?.probabilities.COVID,
    models_spread: answer?.uncertainty.models_spread,
    ...Object.fromEntries(
      MODELS.flatMap((model) => {
        const said = answer?.models.find((each) => each.name === model);
        return [
          [`${model}_probability_covid`, said?.probabilities?.COVID],
          [`${model}_version`, said?.version],
        ];
      }),
    ),
    review: answer?.review,
    review_reasons: answer?.review_reasons.join(" "),
    demo: answer?.demo,
    problem: problem?.type,
    reasons: (answer?.input_check.reasons ?? problem?.reasons)?.join(" "),
    sha256: answer?.image.sha256,
    request_id: answer?.request_id ?? problem?.request_id,
  };
}

function cell(value) {
  const written = String(value ?? "");
  // A spreadsheet would interpret a file name that begins like this as a formula.
  const harmless = /^[=+\-@\t\r]/.test(written) ? `'${written}` : written;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

function save(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
