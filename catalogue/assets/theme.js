/* Sets the theme that the reader chose before anything is painted: this script stands first in the head, not deferred. */
"use strict";
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.setAttribute("data-theme", theme);
} catch { /* nothing is remembered here: the system's theme holds */ }
