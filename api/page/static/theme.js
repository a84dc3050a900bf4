// Bootstrap takes its colours from an attribute, so the system's choice is copied there. Loaded
// before the body, so that a dark page never flashes white.
const dark = matchMedia("(prefers-color-scheme: dark)");
const applyTheme = () => {
  document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light";
};
dark.addEventListener("change", applyTheme);
// Paper is white.
addEventListener("beforeprint", () => {
  document.documentElement.dataset.bsTheme = "light";
});
addEventListener("afterprint", applyTheme);
applyTheme();
