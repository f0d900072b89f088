/* What a page does beyond showing: sort tables, filter rows, copy commands, choose light or dark.
   Markup: `table.sortable` with th, and td[data-value] where a number's text does not begin with it;
   `form.filters` with an input named `search`, selects, and `output.count`; `.filterable` around each `table.filtered`,
   where the value of a select's name is a data attribute of the row or of all around, or a column's th[data-filter]; `pre.command`; `button.theme`. */
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
    const text = cell.textContent.trim();
    const first = Number(cell.closest("table").dataset.numbers) || Infinity;
    const isNumber = cell.matches(".number") || (cell.cellIndex + 1 >= first && !cell.matches(".text, .prose"));
    if (!isNumber) return text.toLowerCase();
    const value = parseFloat(cell.dataset.value ?? text.replaceAll(",", "").replace("\u2212", "-"));
    return Number.isNaN(value) ? null : value;
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
    document.dispatchEvent(new CustomEvent("sorted"));
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
  // Of a long table the first rows that fit are laid out; the others wait for a button, or for the printer.
  const form = document.querySelector("form.filters");
  if (form) {
    const most = 250;
    const groups = Array.from(document.querySelectorAll(".filterable"), function (part) {
      const told = Array.from(part.querySelectorAll("th[data-filter]"), (heading) => [heading.dataset.filter, heading.cellIndex]);
      const body = part.querySelector("table.filtered tbody");
      const known = new Map(Array.from(body.rows, function (row) {
        const cells = told.map(([name, column]) => [name, row.cells[column].textContent.trim()]);
        return [row, { data: { ...part.dataset, ...row.dataset, ...Object.fromEntries(cells) } }];
      }));
      const more = document.createElement("button");
      more.type = "button";
      more.className = "more";
      part.querySelector(".scroll").after(more);
      const group = { part, body, known, more, most, count: part.querySelector("summary .count"), isOpen: part.open };
      more.addEventListener("click", function () { group.most = Infinity; apply(); });
      return group;
    });
    const total = groups.reduce((sum, group) => sum + group.known.size, 0);
    const fields = Array.from(form.elements).filter((one) => one.name);
    const count = form.querySelector("output");
    function apply() {
      const words = form.elements.search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const asked = fields.filter((one) => one.tagName === "SELECT" && one.value !== "");
      const isAsked = words.length + asked.length > 0;
      let shown = 0;
      for (const group of groups) {
        let here = 0;
        for (const row of group.body.rows) {
          const one = group.known.get(row);
          one.text ??= row.textContent.toLowerCase();
          const fits = asked.every((field) => one.data[field.name] === field.value) && words.every((word) => one.text.includes(word));
          here += fits;
          const isShown = fits && here <= group.most;
          if (row.hidden === isShown) row.hidden = !isShown;
        }
        group.more.hidden = here <= group.most;
        group.more.textContent = "Show all " + numbers.format(here) + " rows, not the first " + group.most + " alone";
        group.part.hidden = here === 0 && isAsked && groups.length > 1;
        if (group.count) {
          group.part.open = isAsked ? here > 0 : group.isOpen;
          group.count.textContent = "(" + (isAsked ? numbers.format(here) + " of " : "") + numbers.format(group.known.size) + ")";
        }
        shown += here;
      }
      count.textContent = numbers.format(shown) + " of " + numbers.format(total) + " rows";
    }
    // What is asked stands in the address; an address that leads to a part of the page is left as it is.
    function read() {
      const state = new URLSearchParams(location.hash.slice(1));
      for (const one of fields) one.value = state.get(one.name) || "";
      apply();
    }
    function write() {
      const state = new URLSearchParams(fields.filter((one) => one.value).map((one) => [one.name, one.value])).toString();
      history.replaceState(null, "", state ? "#" + state : location.pathname + location.search);
    }
    form.addEventListener("input", function () { apply(); write(); });
    form.addEventListener("submit", (event) => event.preventDefault());
    window.addEventListener("hashchange", read);
    document.addEventListener("sorted", apply);
    window.addEventListener("beforeprint", function () {
      for (const group of groups) group.most = Infinity;
      apply();
    });
    document.addEventListener("keydown", function (event) {
      const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
      if (event.key === "/" && !isTyping) { event.preventDefault(); form.elements.search.focus(); }
    });
    read();
  }

  // --- drawings that are wider than the screen scroll: by key too --------------------------------------------------
  for (const part of document.querySelectorAll(".static")) {
    if (part.scrollWidth <= part.clientWidth) continue;
    part.tabIndex = 0;
    part.setAttribute("role", "region");
    part.setAttribute("aria-label", part.parentElement.querySelector("figcaption").firstChild.textContent.trim());
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
