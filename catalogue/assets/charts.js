/* Interactive charts: each `figure.chart[data-chart]` whose specification a data script gave gets a button that draws it
   with Vega in place of the drawing. Vega runs its expressions through an interpreter, so that no text is evaluated. */
"use strict";

(function () {
  function colours() {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(name).trim();
  }
  function config() {
    const of = colours();
    const axis = { labelColor: of("--muted"), titleColor: of("--muted"), gridColor: of("--line"), domainColor: of("--line"), tickColor: of("--line"), titleFontWeight: "normal" };
    return {
      background: "transparent", font: "system-ui, sans-serif", view: { stroke: null }, axis,
      legend: { labelColor: of("--ink"), titleColor: of("--muted") },
      rule: { color: of("--muted"), strokeWidth: 2 }, bar: { color: of("--accent") }, point: { color: of("--accent") }, text: { color: of("--ink") }
    };
  }
  async function draw(target, spec) {
    const compiled = vegaLite.compile({ ...spec, config: config() }).spec;
    const runtime = vega.parse(compiled, null, { ast: true });
    const view = new vega.View(runtime, { expr: vega.expressionInterpreter, renderer: "canvas", container: target, hover: true });
    await view.runAsync();
    return view;
  }
  for (const figure of document.querySelectorAll("figure.chart")) {
    const spec = window.tunebook.charts[figure.dataset.chart];
    if (!spec) continue;
    const still = figure.querySelector(".static");
    const live = document.createElement("div");
    live.className = "live";
    live.hidden = true;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Interactive";
    button.setAttribute("aria-pressed", "false");
    let view = null;
    async function toggle(isOn) {
      if (view) { view.finalize(); view = null; live.replaceChildren(); }
      still.hidden = isOn;
      live.hidden = !isOn;
      button.setAttribute("aria-pressed", String(isOn));
      if (!isOn) return;
      try {
        view = await draw(live, spec);
      } catch (error) {
        live.textContent = "The chart could not be drawn: " + error.message;
      }
    }
    button.addEventListener("click", () => toggle(still.hidden === false));
    document.addEventListener("themechange", () => { if (view) toggle(true); });
    still.after(live);
    figure.querySelector("figcaption").append(button);
  }
})();
