// Rows of estimates with intervals, and bars.

/** Rows with their names beside them where there is room, above them where there is not. */
function rowLayout(rows, texts, width, rowHeight) {
  const widest = Math.max(...rows.map((row) => textWidth(row.label)));
  const beside = width >= 480;
  const marginRight = Math.ceil(Math.max(0, ...texts.map((text) => textWidth(text)))) + 14;
  const marginLeft = beside ? Math.ceil(Math.min(widest, width * 0.42)) + 14 : 18;
  // Paper is read from nearby.
  const row = onPaper ? Math.round(rowHeight * 0.7) : rowHeight;
  const height = (beside ? row : row + 18) * rows.length + 50;
  const names = beside
    ? Plot.axisY(rows.map((_, at) => at), { text: (at) => fitted(rows[at].label, width * 0.42), tickSize: 0, label: null })
    : Plot.text(rows.map((_, at) => at), { y: (at) => at, text: (at) => fitted(rows[at].label, width - 10), frameAnchor: "left", textAnchor: "start", dx: -16, dy: -19 });
  return { beside, marginLeft, marginRight, height, names };
}

const hollowSeries = (count) => (series) => count > 1 && series % 2 === 0 && series < count - 1;

function drawIntervals(chart, width) {
  const { rows, series, unit } = chart;
  const flat = rows.flatMap((row, at) => row.marks.map((mark) => ({ ...mark, at })));
  const apart = series.length > 2 ? 6 : flat.some((mark) => mark.lower !== null) ? 10 : 0;
  const layout = rowLayout(rows, flat.map((mark) => mark.text), width, Math.max(30, apart * (series.length - 1) + 26));
  const values = flat.flatMap((mark) => [mark.value, mark.lower ?? mark.value, mark.upper ?? mark.value]);
  let x;
  if (chart.scale === "log") {
    const { domain, ticks } = ratioAxis(values);
    x = { type: "log", domain, ticks };
  } else {
    const all = chart.reference === null ? values : [...values, chart.reference];
    const low = Math.min(...all), high = Math.max(...all);
    const pad = (high - low) * 0.08 || 0.05;
    x = { domain: [low >= 0 ? Math.max(low - pad, 0) : low - pad, high + pad] };
  }
  const room = width - layout.marginLeft - layout.marginRight;
  const ticks = x.ticks ?? Math.max(2, Math.floor(room / 80));
  const offset = (place) => (place - (series.length - 1) / 2) * apart;
  const hollow = hollowSeries(series.length);
  const marks = [
    Plot.gridX(Array.isArray(ticks) ? ticks : undefined, { ticks: Array.isArray(ticks) ? undefined : ticks, stroke: "var(--line)", strokeOpacity: 1 }),
    chart.reference === null ? null : Plot.ruleX([chart.reference], { stroke: "var(--ink)", strokeWidth: 1.2 }),
    Plot.axisX(Array.isArray(ticks) ? ticks : undefined, { ticks: Array.isArray(ticks) ? undefined : ticks, text: (tick) => written(tick, unit), tickSize: 4, label: chart.x_label, labelArrow: "none", labelAnchor: "center" }),
    layout.names,
  ];
  if (apart === 0 && series.length > 1) {
    marks.push(Plot.link(rows.map((row, at) => ({ at, values: row.marks.map((mark) => mark.value) })).filter(({ values }) => values.length > 1), {
      x1: ({ values }) => Math.min(...values), x2: ({ values }) => Math.max(...values), y1: "at", y2: "at", stroke: "var(--muted)", strokeWidth: 1.5,
    }));
  }
  series.forEach((_, place) => {
    const of = flat.filter((mark) => mark.series === place);
    const bounded = of.filter((mark) => mark.lower !== null && mark.upper !== null);
    marks.push(Plot.ruleY(bounded, { y: "at", x1: "lower", x2: "upper", dy: offset(place), stroke: seriesColour(place), strokeWidth: 2, clip: true }));
    marks.push(Plot.dot(of, { x: "value", y: "at", dy: offset(place), r: 5, symbol: SYMBOLS[place], fill: hollow(place) ? HOLLOW : seriesColour(place), stroke: seriesColour(place), strokeWidth: 1.8 }));
  });
  marks.push(Plot.text(flat.filter((mark) => mark.text), { y: "at", text: "text", frameAnchor: "right", textAnchor: "start", dx: 8 }));
  return Plot.plot({
    ...common(width), marginLeft: layout.marginLeft, marginRight: layout.marginRight, marginTop: layout.beside ? 6 : 22, marginBottom: 44,
    height: layout.height, x: { ...x, label: null, ticks: undefined, axis: null }, y: { type: "point", domain: rows.map((_, at) => at), padding: 0.6, label: null, axis: null }, symbol: { type: "identity" },
    marks,
  });
}

function drawBars(chart, width) {
  const { rows, unit } = chart;
  const layout = rowLayout(rows, rows.map((row) => row.text), width, 28);
  const flat = rows.map((row, at) => ({ ...row, at }));
  const high = Math.max(...rows.map((row) => Math.max(row.value, row.target ?? 0))) || 1;
  const ticks = Math.max(2, Math.floor((width - layout.marginLeft - layout.marginRight) / 80));
  const inset = layout.beside ? 5 : 12;
  return Plot.plot({
    ...common(width), marginLeft: layout.marginLeft, marginRight: layout.marginRight, marginTop: layout.beside ? 6 : 22, marginBottom: 44, height: layout.height,
    x: { domain: [0, high * 1.04], label: null, axis: null }, y: { type: "band", domain: rows.map((_, at) => at), padding: 0, label: null, axis: null },
    marks: [
      Plot.gridX({ ticks, stroke: "var(--line)", strokeOpacity: 1 }),
      Plot.axisX({ ticks, text: (tick) => written(tick, unit), tickSize: 4, label: chart.x_label, labelArrow: "none", labelAnchor: "center" }),
      layout.names,
      Plot.barX(flat, { x: "value", y: "at", fill: "var(--series-1)", insetTop: inset, insetBottom: inset }),
      Plot.ruleX([0], { stroke: "var(--ink)" }),
      Plot.tickX(flat.filter((row) => row.target !== null), { x: "target", y: "at", stroke: "var(--ink)", strokeWidth: 3, insetTop: inset - 3, insetBottom: inset - 3 }),
      Plot.text(flat, { y: "at", text: "text", frameAnchor: "right", textAnchor: "start", dx: 8 }),
    ],
  });
}
