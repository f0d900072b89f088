/* What a page does beyond showing: sort tables, filter the index, copy commands, choose light or dark.
   Markup: `table.sortable` with th[scope=col] and td[data-value] for numbers; `form.filters` with an input named
   `search`, selects whose names are the rows' data attributes, and `output.count`; `pre.command`; `button.theme`. */
"use strict";
window.tunebook = window.tunebook || { charts: {} };

(function () {
  const numbers = new Intl.NumberFormat("en");

  // --- light and dark ---------------------------------------------------------------------------------------------
  const themes = ["auto", "light", "dark"];
  function remembered() { try { return localStorage.getItem("theme") || "auto"; } catch { return "auto"; } }
  function show(theme, button) {
    if (theme === "auto") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.setAttribute("data-theme", theme);
    button.textContent = "Theme: " + theme;
    document.dispatchEvent(new CustomEvent("themechange"));
  }
  const toggle = document.querySelector("button.theme");
  if (toggle) {
    let theme = themes.includes(remembered()) ? remembered() : "auto";
    toggle.hidden = false;
    show(theme, toggle);
    toggle.addEventListener("click", function () {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      try { localStorage.setItem("theme", theme); } catch { /* the choice holds for this page */ }
      show(theme, toggle);
    });
  }

  // --- sorting ----------------------------------------------------------------------------------------------------
  function key(cell) {
    if (!cell) return "";
    if (!cell.hasAttribute("data-value")) return cell.textContent.trim().toLowerCase();
    const value = cell.getAttribute("data-value");
    return value === "" ? null : Number(value);
  }
  function compare(a, b) {
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    return typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0;
  }
  function sort(table, column, heading) {
    const isDown = heading.getAttribute("aria-sort") === "ascending";
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => ({ row, key: key(row.cells[column]) }));
    rows.sort((a, b) => (a.key === null || b.key === null || !isDown ? 1 : -1) * compare(a.key, b.key));
    body.append(...rows.map((one) => one.row));
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", isDown ? "descending" : "ascending");
  }
  for (const table of document.querySelectorAll("table.sortable")) {
    Array.from(table.tHead.rows[0].cells).forEach(function (heading, column) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, column, heading));
      heading.append(button);
    });
  }

  // --- filtering --------------------------------------------------------------------------------------------------
  const form = document.querySelector("form.filters");
  const table = document.getElementById("results");
  if (form && table) {
    const rows = Array.from(table.tBodies[0].rows, (row) => ({ row, data: { ...row.dataset } }));
    const fields = Array.from(form.elements).filter((one) => one.name);
    const count = form.querySelector("output");
    function apply() {
      const words = form.elements.search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const asked = fields.filter((one) => one.tagName === "SELECT" && one.value !== "");
      let shown = 0;
      for (const { row, data } of rows) {
        const fits = asked.every((one) => data[one.name] === one.value) && words.every((word) => data.search.includes(word));
        if (row.hidden === fits) row.hidden = !fits;
        shown += fits;
      }
      count.textContent = numbers.format(shown) + " of " + numbers.format(rows.length) + " rows";
      const state = new URLSearchParams(fields.filter((one) => one.value).map((one) => [one.name, one.value])).toString();
      history.replaceState(null, "", state ? "#" + state : location.pathname + location.search);
    }
    const state = new URLSearchParams(location.hash.slice(1));
    for (const one of fields) if (state.has(one.name)) one.value = state.get(one.name);
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    document.addEventListener("keydown", function (event) {
      const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
      if (event.key === "/" && !isTyping) { event.preventDefault(); form.elements.search.focus(); }
    });
    apply();
  }

  // --- copying ----------------------------------------------------------------------------------------------------
  for (const block of document.querySelectorAll("pre.command")) {
    if (!navigator.clipboard) break;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", function () {
      navigator.clipboard.writeText(block.querySelector("code").textContent)
        .then(() => { button.textContent = "Copied"; }, () => { button.textContent = "Select and copy by hand"; });
    });
    block.append(button);
  }
})();
