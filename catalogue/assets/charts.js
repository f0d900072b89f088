/* Interactive charts: each `figure.chart[data-chart]` whose specification a data script gave gets a button that draws it
   with Vega in place of the drawing. Vega runs its expressions through an interpreter, so that no text is evaluated. */
"use strict";

(function () {
  function colours() {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(name).trim();
  }
  function config(of) {
    const axis = { labelColor: of("--muted"), titleColor: of("--muted"), gridColor: of("--line"), domainColor: of("--line"), tickColor: of("--line"), titleFontWeight: "normal" };
    return {
      background: "transparent", font: "system-ui, sans-serif", view: { stroke: null }, axis,
      legend: { labelColor: of("--ink"), titleColor: of("--muted"), symbolSize: 90 },
      rule: { color: of("--muted"), strokeWidth: 2 }, bar: { color: of("--g0") }, point: { color: of("--g0") },
      line: { color: of("--g0") }, area: { color: of("--g0") }, rect: { color: of("--g0") }, text: { color: of("--ink") }
    };
  }
  // Groups have the colours that the page's drawings have, by their order: other ones on light and on dark.
  function coloured(spec, of) {
    const made = structuredClone(spec);
    for (const layer of made.layer) {
      const scale = layer.encoding.color && layer.encoding.color.scale;
      if (scale && scale.range) scale.range = scale.range.map((_, place) => of("--g" + place % 7));
    }
    return made;
  }
  async function draw(target, spec) {
    const of = colours();
    const compiled = vegaLite.compile({ ...coloured(spec, of), config: config(of) }).spec;
    const runtime = vega.parse(compiled, null, { ast: true });
    const view = new vega.View(runtime, { expr: vega.expressionInterpreter, renderer: "canvas", container: target, hover: true });
    await view.runAsync();
    return view;
  }
  for (const figure of document.querySelectorAll("figure.chart")) {
    const spec = window.tunebook.charts[figure.dataset.chart];
    if (!spec || !spec.layer.length) continue;
    const still = figure.querySelector(".static");
    const live = document.createElement("div");
    live.className = "live";
    live.hidden = true;
    live.setAttribute("role", "img");
    live.setAttribute("aria-label", figure.querySelector("figcaption").textContent.trim());
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Interactive";
    button.setAttribute("aria-pressed", "false");
    let view = null, turn = 0;
    async function toggle(isOn) {
      const mine = ++turn;
      if (view) { view.finalize(); view = null; }
      const place = document.createElement("div");
      live.replaceChildren(place);
      still.hidden = isOn;
      live.hidden = !isOn;
      button.setAttribute("aria-pressed", String(isOn));
      if (!isOn) return;
      try {
        const drawn = await draw(place, spec);
        if (mine === turn) view = drawn;
        else drawn.finalize(); // pressed again while this one was being drawn
      } catch (error) {
        if (mine === turn) live.textContent = "The chart could not be drawn: " + error.message;
      }
    }
    button.addEventListener("click", () => toggle(still.hidden === false));
    document.addEventListener("themechange", () => { if (view) toggle(true); });
    still.after(live);
    figure.querySelector("figcaption").append(button);
  }
})();
