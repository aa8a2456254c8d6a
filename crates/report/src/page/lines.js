// Values along something: tenths of a journey, periods, days since a touchpoint.

const DASHES = ["none", "5 4", "2 3", "8 3 2 3"];

function drawLines(chart, width) {
  const { points, series, ticks, unit } = chart;
  const ratios = chart.scale === "log" ? ratioAxis(chart.domain) : null;
  const domain = ratios?.domain ?? chart.domain;
  const across = ratios?.ticks.filter((tick) => tick >= 1 / 16 && tick <= 16);
  const height = Math.round(Math.min(Math.max(width * 0.56, 150), 240));
  const margins = { marginLeft: 38, marginRight: 34, marginTop: 16, marginBottom: chart.x_label ? 40 : 28 };
  const room = width - margins.marginLeft - margins.marginRight;
  const shown = thinned(ticks, room + 20);
  const alone = series.length === 1;
  const last = Math.max(...points.map((point) => point.x));
  const hollow = (point) => alone ? point.x !== last : point.series === 1;
  const marks = [
    Plot.gridY(across, { ticks: across ? undefined : 4, stroke: "var(--line)", strokeOpacity: 1 }),
    Plot.axisY(across, { ticks: across ? undefined : 4, text: (tick) => written(tick, unit), tickSize: 0, label: null }),
    Plot.axisX(shown, { text: (at) => ticks[at], tickSize: 3, label: chart.x_label || null, labelArrow: "none", labelAnchor: "center" }),
    chart.reference === null ? null : Plot.ruleY([chart.reference], { stroke: "var(--ink)" }),
  ];
  series.forEach((_, place) => {
    const of = points.filter((point) => point.series === place);
    const bounded = of.filter((point) => point.lower !== null && point.upper !== null);
    const colour = seriesColour(alone ? 1 : place);
    marks.push(Plot.ruleX(bounded, { x: "x", y1: (point) => Math.max(point.lower, domain[0]), y2: (point) => Math.min(point.upper, domain[1]), stroke: colour, strokeWidth: 2 }));
    if (of.length > 1) marks.push(Plot.line(of, { x: "x", y: "y", stroke: colour, strokeWidth: 2, strokeDasharray: alone ? "none" : DASHES[place] }));
    marks.push(Plot.dot(of, { x: "x", y: "y", symbol: SYMBOLS[place], r: 4, fill: (point) => hollow(point) ? HOLLOW : colour, stroke: colour, strokeWidth: 1.8 }));
  });
  const svg = Plot.plot({ ...common(width), ...margins, height, x: { type: "linear", domain: [0, ticks.length - 1], label: null, axis: null }, y: { type: chart.scale, domain, label: null, axis: null }, symbol: { type: "identity" }, marks });
  const x = svg.scale("x"), y = svg.scale("y");
  // First and last value of each line are written, the last first.
  const ends = series.flatMap((_, place) => {
    const of = points.filter((point) => point.series === place);
    return of.length > 1 ? [of.at(-1), of[0]] : of;
  }).map((point, _, all) => ({ ...point, isFirst: all.some((other) => other.series === point.series && other.x > point.x) }));
  const short = (value) => unit === "ratio" ? value.toFixed(2) : written(value, unit);
  const end = (value) => y.apply(Math.min(Math.max(value, domain[0]), domain[1]));
  const labels = ends.map((point) => ({
    texts: [short(point.y)], x: x.apply(point.x), y: y.apply(point.y), reach: 7, weight: 600,
    top: end(point.upper ?? point.y), bottom: end(point.lower ?? point.y),
    sides: point.isFirst ? ["top", "bottom", "aboveRight", "belowRight"] : ["right", "top", "bottom", "aboveLeft", "belowLeft"],
  }));
  const dots = points.map((point) => ({ x: x.apply(point.x) - 5, y: y.apply(point.y) - 5, width: 10, height: 10 }));
  const whiskers = points.filter((point) => point.lower !== null).map((point) => ({ x: x.apply(point.x) - 2, y: end(point.upper), width: 4, height: end(point.lower) - end(point.upper) }));
  place(svg, labels, [...dots, ...whiskers], { x: margins.marginLeft - 8, y: 0, width: width - margins.marginLeft + 8, height: height - margins.marginBottom + 2 });
  return svg;
}
