// Work in batches: one request after the other, with a bar that says how far it is and a stop.
"use strict";
(() => {
  const box = document.querySelector("[data-batches]");
  if (!box) return;
  const stop = box.querySelector("[data-stop]");
  const told = box.querySelector("[data-told]");
  const progress = box.querySelector("[data-progress]");
  let stopped = false;

  stop.addEventListener("click", () => { stopped = true; stop.disabled = true; });

  // After panel.js, which asks whether it is meant.
  document.addEventListener("submit", (event) => {
    if (!box.contains(event.target) || event.defaultPrevented) return;
    event.preventDefault();
    run(event.target);
  });

  async function run(form) {
    stopped = false;
    working(true);
    let state = { done: 0, skipped: 0, after: 0, last: 0, of: 0 };
    while (!stopped && state.after !== null) {
      const answer = await fetch(form.action, {
        method: "POST",
        headers: { Accept: "application/json" },
        body: new URLSearchParams({ ...state, csrf_token: form.elements.csrf_token.value }),
        redirect: "manual",
      }).catch(() => null);
      if (answer?.type === "opaqueredirect") { form.submit(); return; } // the password is asked for
      if (!answer?.ok) { told.textContent = `It stopped after ${state.done}: the server did not answer. Load the page again to go on.`; break; }
      const { left, ...next } = await answer.json();
      state = next;
      show(state, left);
    }
    working(false);
    if (stopped || state.after === null) window.setTimeout(() => window.location.reload(), 1500);
  }

  function working(now) {
    stop.hidden = progress.hidden = !now;
    stop.disabled = false;
    for (const button of box.querySelectorAll("form button")) button.disabled = now;
  }

  function show({ done, skipped }, left) {
    const share = Math.round((100 * (done + skipped)) / Math.max(1, done + skipped + left));
    const bar = progress.firstElementChild;
    bar.style.width = `${share}%`;
    bar.setAttribute("aria-valuenow", share);
    told.textContent = `${done} done${skipped ? `, ${skipped} left as they are` : ""}, ${left} to go.`;
  }
})();
