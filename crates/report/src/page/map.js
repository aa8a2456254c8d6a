// The key-journey map.

const TIER_COLOURS = { harmful: "var(--harmful)", protective: "var(--protective)", unclear: "var(--unclear)", unranked: "var(--unclear)" };
const VOLUMES = [1, 2, 5].flatMap((digit) => [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8].map((power) => digit * power)).sort((a, b) => a - b);

function drawMap(chart, width, state) {
  const group = chart.groups[Math.min(state.group ?? 0, chart.groups.length - 1)];
  const points = [...group.points].sort((a, b) => b.size - a.size);
  const narrow = width < 520;
  const height = Math.round(Math.min(Math.max(width * 0.58, 380), 520));
  const ratios = ratioAxis(points.flatMap((point) => [point.y, point.lower ?? point.y, point.upper ?? point.y]));
  const low = Math.max(Math.min(...points.map((point) => point.x)), 1);
  const high = Math.max(...points.map((point) => point.x));
  const domain = [low / 1.6, high * (narrow ? 2 : 1.8)];
  const volumes = VOLUMES.filter((tick) => tick >= domain[0] && tick <= domain[1]);
  const margins = { marginLeft: 46, marginRight: 12, marginTop: 34, marginBottom: 46 };
  const names = volumes.map((tick) => plain.format(tick));
  const ticks = thinned(names, width - margins.marginLeft - margins.marginRight).map((at) => volumes[at]);
  const most = narrow ? 18 : 26;
  const hollow = (point) => point.tier === "unclear" || point.tier === "unranked";
  const radius = Math.max(...points.map((point) => point.size)) || 1;
  const r = (point) => Math.max(4.5, most * Math.sqrt(point.size / radius));
  const svg = Plot.plot({
    ...common(width), ...margins, height,
    x: { type: "log", domain, label: null, axis: null },
    y: { type: "log", domain: ratios.domain, label: null, axis: null },
    r: { type: "identity" },
    marks: [
      Plot.gridY(ratios.ticks, { stroke: "var(--line)", strokeOpacity: 1 }),
      Plot.axisX(ticks, { text: (tick) => plain.format(tick), tickSize: 4, label: chart.x_label, labelArrow: "right", labelAnchor: "right" }),
      Plot.axisY(ratios.ticks, { text: (tick) => written(tick, "ratio"), tickSize: 0, label: null }),
      Plot.ruleY([1], { stroke: "var(--ink)", strokeWidth: 1.2 }),
      Plot.dot(points, { x: "x", y: "y", r, fill: (point) => hollow(point) ? HOLLOW : TIER_COLOURS[point.tier], fillOpacity: (point) => hollow(point) ? 0.85 : 0.8, stroke: (point) => TIER_COLOURS[point.tier], strokeWidth: 2 }),
      // Above the marks, since the larger marks are wider than their intervals.
      Plot.ruleX(points, { x: "x", y1: (point) => point.lower ?? point.y, y2: (point) => point.upper ?? point.y, stroke: "var(--ink)", strokeWidth: 1.6, clip: true }),
      Plot.tip(points, Plot.pointer({ x: "x", y: "y", title: (point) => `${point.label}\n${point.details}`, fill: "var(--surface)", stroke: "var(--line)", fontSize: 12 })),
    ],
  });
  const x = svg.scale("x"), y = svg.scale("y");
  const top = document.createElementNS(svg.namespaceURI, "text");
  top.setAttribute("x", 4);
  top.setAttribute("y", 14);
  top.setAttribute("class", "axis-name");
  top.setAttribute("text-anchor", "start");
  top.textContent = `↑ ${chart.y_label}`;
  svg.append(top);
  const bounds = { x: margins.marginLeft, y: margins.marginTop - 4, width: width - margins.marginLeft - margins.marginRight, height: height - margins.marginTop - margins.marginBottom + 4 };
  const obstacles = [];
  for (const point of points) {
    const [px, py, radius] = [x.apply(point.x), y.apply(point.y), r(point)];
    obstacles.push({ x: px - radius, y: py - radius, width: 2 * radius, height: 2 * radius });
    const [up, down] = [y.apply(point.upper ?? point.y), y.apply(point.lower ?? point.y)];
    obstacles.push({ x: px - 3, y: up, width: 6, height: down - up });
  }
  // What the two halves mean stands where nothing else does, at the line of no difference.
  const one = y.apply(1);
  const halves = [["more leave", one - 9], ["fewer leave", one + 9]].map(([text, at]) => ({ texts: [text], x: bounds.x + 2, y: at, reach: 2, sides: ["right"] }));
  obstacles.push({ x: bounds.x, y: one - 1, width: bounds.width, height: 2 });
  const labels = [...points].sort((a, b) => (a.rank ?? 1e9) - (b.rank ?? 1e9)).map((point) => ({
    // On a phone the rank alone, as in the list below the map.
    texts: point.rank === null ? [point.label] : narrow ? [`${point.rank}`] : [`${point.rank}  ${point.label}`, `${point.rank}`],
    x: x.apply(point.x), y: y.apply(point.y), reach: r(point) + 4, weight: 600,
    top: y.apply(point.upper ?? point.y), bottom: y.apply(point.lower ?? point.y),
    sides: ["right", "left", "aboveRight", "belowRight", "aboveLeft", "belowLeft", "top", "bottom"],
  }));
  place(svg, [...labels, ...halves], obstacles, bounds);
  return svg;
}

/** Segments to choose from, where there are several. */
function chooser(figure, chart, state, redraw) {
  if (chart.groups.length < 2 || figure.querySelector(".chooser")) return;
  const label = document.createElement("label");
  label.className = "chooser";
  label.append("Segment ");
  const select = document.createElement("select");
  chart.groups.forEach(({ name }, at) => select.append(new Option(name, at)));
  select.addEventListener("change", () => { state.group = Number(select.value); redraw(); });
  label.append(select);
  figure.querySelector(".legend").before(label);
}

/** What size, fill and colour say. */
function mapLegend(figure, chart) {
  if (figure.querySelector(".legend")) return;
  const list = document.createElement("ul");
  list.className = "legend";
  const entries = [["harmful", true, "harmful: more leave, beyond chance"], ["protective", true, "protective: fewer leave, beyond chance"], ["unclear", false, "unclear"]];
  for (const [tier, filled, name] of entries) {
    const item = document.createElement("li");
    const colour = TIER_COLOURS[tier];
    item.innerHTML = `<svg viewBox="-8 -8 16 16" width="16" height="16" aria-hidden="true"><path d="${SHAPES.circle}" fill="${filled ? colour : HOLLOW}" stroke="${colour}" stroke-width="1.8"/></svg>`;
    item.append(name);
    list.append(item);
  }
  const size = document.createElement("li");
  size.innerHTML = `<svg viewBox="-14 -8 28 16" width="28" height="16" aria-hidden="true"><circle cx="-9" r="3" fill="none" stroke="currentColor"/><circle cx="5" r="7" fill="none" stroke="currentColor"/></svg>`;
  size.append(chart.size_label);
  list.append(size);
  figure.querySelector(".pictures").before(list);
}
