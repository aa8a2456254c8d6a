// What the page's charts use of Observable Plot; everything else is shaken off.
export { axisX, axisY, barX, dot, frame, gridX, gridY, line, link, plot, pointer, ruleX, ruleY, text, tickX, tip } from "@observablehq/plot";
