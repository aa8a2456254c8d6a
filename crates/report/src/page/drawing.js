// What all charts share: numbers, measured text, labels that keep out of each other's way.

// Shape tells series apart, so that a print without colour still does.
const SYMBOLS = ["circle", "square", "diamond", "triangle"];
const SHAPES = {
  circle: "M5 0A5 5 0 1 1 -5 0A5 5 0 1 1 5 0Z",
  square: "M-4.5 -4.5H4.5V4.5H-4.5Z",
  diamond: "M0 -6.5L5 0L0 6.5L-5 0Z",
  triangle: "M0 -6L5.5 4.5H-5.5Z",
};
const HOLLOW = "var(--surface)";
const seriesColour = (series) => `var(--series-${series})`;
let onPaper = false;
const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A value as its unit is written on an axis. */
function written(value, unit) {
  switch (unit) {
    case "percent": return `${+(value * 100).toFixed(2)} %`;
    case "score": return plain.format(value * 100);
    default: return String(+value.toPrecision(3));
  }
}

const measuring = document.createElement("canvas").getContext("2d");
const FONT_SIZE = 12;

/** Width of a text in pixels, as charts write it. */
function textWidth(text, weight = 400, size = FONT_SIZE) {
  measuring.font = `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
  return measuring.measureText(text).width;
}

/** `text` cut to a width, with an ellipsis. */
function fitted(text, width) {
  if (textWidth(text) <= width) return text;
  let short = text;
  while (short.length > 1 && textWidth(`${short}…`) > width) short = short.slice(0, -1);
  return `${short.trimEnd()}…`;
}

/** Every nth of the places, counted from the last, so that their names fit side by side. */
function thinned(names, width) {
  const widest = Math.max(...names.map((name) => textWidth(name))) + 14;
  const step = Math.max(1, Math.ceil((names.length * widest) / Math.max(width, 1)));
  return names.map((_, place) => place).filter((place) => (names.length - 1 - place) % step === 0);
}

/** Domain and ticks of a logarithmic axis of ratios: halves and doubles, never beyond 1/32 and 32. */
function ratioAxis(values) {
  const low = Math.max(Math.min(...values, 1), 1 / 32);
  const high = Math.min(Math.max(...values, 1), 32);
  const span = Math.log2(high) - Math.log2(low);
  const pad = Math.max(span * 0.06, 0.15);
  const domain = [2 ** (Math.log2(low) - pad), 2 ** (Math.log2(high) + pad)];
  const fine = span < 1.6 ? [0.25, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4] : [1 / 32, 1 / 16, 1 / 8, 0.25, 0.5, 1, 2, 4, 8, 16, 32];
  return { domain, ticks: fine.filter((tick) => tick >= domain[0] && tick <= domain[1]) };
}

const overlaps = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** The first of a label's sides at which a text fits: inside the bounds, over nothing that is taken. */
function roomFor(text, { x, y, reach, weight = 400, sides, top = y - reach, bottom = y + reach }, taken, bounds) {
  const width = textWidth(text, weight) + 4;
  const height = FONT_SIZE + 3;
  const slant = reach * 0.7;
  const corners = {
    right: [x + reach, y - height / 2], left: [x - reach - width, y - height / 2],
    top: [x - width / 2, Math.min(top - 2, y - reach) - height], bottom: [x - width / 2, Math.max(bottom + 2, y + reach)],
    aboveRight: [x + slant, y - slant - height], belowRight: [x + slant, y + slant],
    aboveLeft: [x - slant - width, y - slant - height], belowLeft: [x - slant - width, y + slant],
  };
  for (const side of sides) {
    const box = { x: corners[side][0], y: corners[side][1], width, height };
    const inside = box.x >= bounds.x && box.y >= bounds.y && box.x + width <= bounds.x + bounds.width && box.y + height <= bounds.y + bounds.height;
    if (inside && !taken.some((other) => overlaps(box, other))) return { box, text, weight };
  }
  return null;
}

/** Writes labels into an SVG where there is room: first all in their shortest form, then in longer ones where they fit. */
function place(svg, labels, obstacles, bounds) {
  const written = [];
  const taken = (except) => [...obstacles, ...written.filter((label) => label && label !== except).map(({ box }) => box)];
  labels.forEach((label, at) => { written[at] = roomFor(label.texts.at(-1), label, taken(), bounds); });
  labels.forEach((label, at) => {
    for (const text of label.texts.slice(0, -1)) {
      const found = roomFor(text, label, taken(written[at]), bounds);
      if (found) { written[at] = found; break; }
    }
  });
  for (const { box, text, weight } of written.filter(Boolean)) {
    const element = document.createElementNS(svg.namespaceURI, "text");
    element.setAttribute("x", box.x + 2);
    element.setAttribute("y", box.y + box.height - 4);
    element.setAttribute("class", "label");
    element.setAttribute("text-anchor", "start");
    element.setAttribute("font-weight", weight);
    element.textContent = text;
    svg.append(element);
  }
}

/** Options of every chart. */
const common = (width) => ({ width, style: { fontFamily: "inherit", fontSize: `${FONT_SIZE}px`, background: "none" } });

/** Names of series with their shapes, above the pictures of a figure. */
function legend(figure, series, hollow = () => false) {
  if (series.length < 2 || figure.querySelector(".legend")) return;
  const list = document.createElement("ul");
  list.className = "legend";
  series.forEach(({ name }, place) => {
    const item = document.createElement("li");
    const fill = hollow(place) ? HOLLOW : seriesColour(place);
    item.innerHTML = `<svg viewBox="-8 -8 16 16" width="16" height="16" aria-hidden="true"><path d="${SHAPES[SYMBOLS[place]]}" fill="${fill}" stroke="${seriesColour(place)}" stroke-width="1.8"/></svg>`;
    item.append(name);
    list.append(item);
  });
  figure.querySelector(".pictures").before(list);
}
