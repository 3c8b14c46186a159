"use strict";
// Draws the page's figures in the colours of day or night, and in those of day on paper.
(() => {
  const night = JSON.parse(document.getElementById("night").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const config = { displayModeBar: false, showTips: false };

  function draw(atNight) {
    const recolour = (key, value) => (atNight && typeof value === "string" && Object.hasOwn(night, value) ? night[value] : value);
    for (const holder of document.querySelectorAll("[data-figure]")) {
      const figure = JSON.parse(document.getElementById(holder.dataset.figure).textContent, recolour);
      Plotly.react(holder, figure.data, figure.layout, config);
    }
  }

  draw(dark.matches);
  const watcher = new ResizeObserver((entries) => entries.forEach((entry) => Plotly.Plots.resize(entry.target)));
  document.querySelectorAll("[data-figure]").forEach((holder) => watcher.observe(holder));
  dark.addEventListener("change", () => draw(dark.matches));
  window.addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
    draw(false);
  });
  window.addEventListener("afterprint", () => draw(dark.matches));
})();
