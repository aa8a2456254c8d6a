// Draws what is seen, shows one reader's view at a time, and prepares printing.

const states = new Map();

function draw(plot, width) {
  const chart = charts[plot.dataset.chart];
  if (!chart || width < 40) return;
  const figure = plot.closest("figure");
  const state = states.get(plot) ?? {};
  states.set(plot, state);
  let svg;
  switch (chart.kind) {
    case "map":
      mapLegend(figure, chart);
      chooser(figure, chart, state, () => draw(plot, plot.clientWidth));
      svg = drawMap(chart, width, state);
      break;
    case "intervals":
      legend(figure, chart.series, hollowSeries(chart.series.length));
      svg = drawIntervals(chart, width);
      break;
    case "bars":
      svg = drawBars(chart, width);
      break;
    case "lines":
      legend(figure, chart.series, (place) => place === 1);
      svg = drawLines(chart, width);
      break;
  }
  // The picture as a whole has a name, and the table behind it the figures; its parts have no roles to be named by.
  for (const part of svg.querySelectorAll("[aria-label], [aria-description]")) {
    part.removeAttribute("aria-label");
    part.removeAttribute("aria-description");
  }
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", plot.dataset.summary);
  plot.replaceChildren(svg);
  plot.dataset.width = width;
}

const plots = [...document.querySelectorAll(".plot")];
const views = [...document.querySelectorAll(".view")];
const links = [...document.querySelectorAll("nav.views a")];

function drawSeen() {
  for (const plot of plots) {
    const width = plot.clientWidth;
    if (width > 0 && String(width) !== plot.dataset.width) draw(plot, width);
  }
}

/** Shows the view that the address names or in which the named place lies. */
function show() {
  let target = null;
  try { target = document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { /* no such place */ }
  const view = target?.closest(".view") ?? views[0];
  for (const other of views) other.hidden = other !== view;
  for (const link of links) {
    if (link.dataset.view === view?.id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (let around = target; around; around = around.parentElement) {
    if (around.tagName === "DETAILS") around.open = true;
  }
  drawSeen();
  if (target === view) window.scrollTo(0, 0);
  else target?.scrollIntoView();
}

/** On paper pictures have the width of the paper, and what analysts would open is open, unless it is for the screen alone. */
const PAPER = 700;
let opened = [];
function beforePrint() {
  onPaper = true;
  for (const plot of plots) {
    const beside = plot.closest(".small") ? 4 : plot.closest(".two") ? 2 : 1;
    draw(plot, Math.floor((PAPER - 16 * (beside - 1)) / beside));
  }
  opened = [...document.querySelectorAll("#analyst details.more-of-it:not(.screen):not([open])")];
  for (const details of opened) details.open = true;
}
function afterPrint() {
  onPaper = false;
  for (const plot of plots) delete plot.dataset.width;
  for (const details of opened) details.open = false;
  drawSeen();
}

const theme = document.querySelector(".theme");
function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}
