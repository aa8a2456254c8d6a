// The page's script: one function around all of it, so that nothing is left in the global scope.
(() => {
"use strict";
const charts = JSON.parse(document.getElementById("charts").textContent);
