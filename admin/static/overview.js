// The overview: draws the charts, and brings numbers and charts up to date while somebody looks.
"use strict";
(() => {
  const EVERY = 10_000;
  const LOOKED = 15 * 60_000; // Without a sign of life a page that refreshes keeps no session alive.
  const CHARTS = {
    traffic: [["messages", "Messages", "--accent"], ["active", "People", "--warn"]],
    growth: [["new", "New", "--good"], ["blocked", "Blocked the bot", "--bad"]],
    errors: [["errors", "Errors", "--bad"]],
    response: [["response", "Milliseconds", "--accent"]],
  };
  const root = document.documentElement;
  const charts = document.querySelector(".charts");
  const said = document.querySelector("[data-refresh-said]");
  let lines = JSON.parse(document.getElementById("lines").textContent);
  let plots = [];
  let alive = Date.now();
  let timer = 0;

  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const day = (seconds) => new Date(seconds * 1000).toLocaleDateString([], { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" });
  const shorten = (value) => (value === null ? "" : Intl.NumberFormat([], { notation: "compact" }).format(value));
  const data = (key) => [lines.days, ...CHARTS[key].map(([name]) => lines[name])];

  function options(key, place) {
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui, sans-serif" };
    return {
      width: place.clientWidth,
      height: 220,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, (high || 0) * 1.1)] } },
      axes: [axis, { ...axis, size: 48, values: (_plot, values) => values.map(shorten) }],
      cursor: { points: { size: 8, fill: (_plot, index) => colour(CHARTS[key][index - 1][2]) } },
      series: [
        { label: "Day", value: (_plot, value) => (value === null ? "–" : day(value)) },
        ...CHARTS[key].map(([, label, name]) => ({
          label,
          stroke: colour(name),
          fill: CHARTS[key].length === 1 ? `color-mix(in srgb, ${colour(name)} 12%, transparent)` : undefined,
          width: 2,
          points: { show: lines.days.length <= 31, size: 5, fill: colour("--surface") },
          value: (_plot, value) => (value === null ? "–" : value.toLocaleString()),
        })),
      ],
    };
  }

  function draw() {
    for (const plot of plots) plot.destroy();
    plots = Object.keys(CHARTS).map((key) => {
      const place = charts.querySelector(`[data-chart="${key}"] .plot`);
      return new uPlot(options(key, place), data(key), place);
    });
  }

  function show(numbers) {
    for (const card of numbers.cards) {
      const place = document.querySelector(`[data-card="${card.key}"]`);
      if (!place) continue;
      place.dataset.tone = card.tone;
      place.querySelector("b").textContent = card.value;
      place.querySelector("small").textContent = card.note;
    }
    const empty = document.querySelector("[data-empty]");
    if (empty && !numbers.empty) empty.remove();
    lines = numbers.lines;
    Object.keys(CHARTS).forEach((key, place) => plots[place].setData(data(key)));
  }

  function tell(text) {
    said.textContent = text;
    said.hidden = !text;
  }

  async function refresh() {
    if (document.hidden) return;
    if (Date.now() - alive > LOOKED) return tell("The numbers stand still, since nobody seems to look. Move the pointer or press a key to go on.");
    try {
      const answer = await fetch(charts.dataset.source, { headers: { Accept: "application/json" } });
      if (answer.status === 401 || answer.status === 403) {
        clearInterval(timer);
        return tell("You are signed out: reload the page to sign in again.");
      }
      if (!answer.ok) throw new Error(answer.statusText);
      show(await answer.json());
      tell("");
    } catch {
      tell("The panel cannot be reached; the numbers are those of before. It is tried again.");
    }
  }

  function wake() {
    const slept = Date.now() - alive > LOOKED;
    alive = Date.now();
    if (slept) refresh();
  }

  draw();
  new MutationObserver(draw).observe(root, { attributeFilter: ["data-theme"] });
  new ResizeObserver(() => {
    for (const plot of plots) {
      const width = plot.root.parentElement.clientWidth;
      if (width && width !== plot.width) plot.setSize({ width, height: 220 });
    }
  }).observe(charts);
  for (const sign of ["pointermove", "keydown", "scroll"]) addEventListener(sign, wake, { passive: true });
  document.addEventListener("visibilitychange", refresh);
  timer = setInterval(refresh, EVERY);
})();
