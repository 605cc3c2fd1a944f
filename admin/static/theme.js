// Light or dark before anything is drawn: as chosen here, else as the system has it.
"use strict";
(() => {
  const kept = localStorage.getItem("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = kept || (dark ? "dark" : "light");
  document.documentElement.dataset.theme = theme;
  document.documentElement.classList.toggle("dark-mode", theme === "dark"); // Swagger UI's own word
})();
