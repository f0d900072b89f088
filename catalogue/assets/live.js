/* What is running now, as the server tells it. Texts are set as text, never as markup. */
"use strict";

(function () {
  const list = document.getElementById("running");
  if (!list) return;
  function line(run) {
    const item = document.createElement("li");
    const told = [run.run, run.purpose === "tune" ? "trial" : "", run.epoch === null ? "" : "epoch " + run.epoch.toFixed(2),
      run.step === null ? "" : "step " + run.step, run.loss === null ? "" : "loss " + run.loss.toFixed(4)];
    item.textContent = told.filter(Boolean).join(", ");
    return item;
  }
  const events = new EventSource("events");
  events.addEventListener("message", function (event) {
    const runs = JSON.parse(event.data);
    const nothing = document.createElement("li");
    nothing.className = "none";
    nothing.textContent = "Nothing is running.";
    list.replaceChildren(...(runs.length ? runs.map(line) : [nothing]));
  });
})();
