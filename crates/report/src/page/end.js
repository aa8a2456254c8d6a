theme.hidden = false;
theme.setAttribute("aria-pressed", String(isDark()));
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  theme.setAttribute("aria-pressed", String(isDark()));
});
addEventListener("hashchange", show);
addEventListener("beforeprint", beforePrint);
addEventListener("afterprint", afterPrint);
new ResizeObserver(() => requestAnimationFrame(drawSeen)).observe(document.getElementById("content"));
show();
document.documentElement.dataset.drawn = "yes";
})();
