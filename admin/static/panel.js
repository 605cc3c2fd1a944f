// What every page of the panel does: theme, menu, the CSRF token, and asking before a deletion.
"use strict";
(() => {
  const root = document.documentElement;
  const token = document.querySelector('meta[name="csrf-token"]')?.content;

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-toggle], [data-side-toggle]");
    if (!button) return;
    if (button.hasAttribute("data-side-toggle")) {
      document.body.classList.toggle("side-open");
      return;
    }
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });

  // Every request of jQuery's that changes something carries the token, inline edits too.
  if (window.jQuery && token) {
    window.jQuery.ajaxSetup({
      beforeSend(request, settings) {
        if (!/^(GET|HEAD|OPTIONS)$/i.test(settings.type)) request.setRequestHeader("X-CSRFToken", token);
      },
    });
  }

  // A form or button that says what it is about to do asks first.
  document.addEventListener("submit", (event) => {
    const said = event.submitter?.dataset.confirm || event.target.dataset.confirm;
    if (said && !window.confirm(said)) event.preventDefault();
  });

  // Rows of a list are chosen by their boxes; an action on none of them says so.
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-choose-all]")) return;
    for (const box of document.querySelectorAll('input[name="rowid"]')) box.checked = event.target.checked;
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-needs-rows]") || document.querySelector('input[name="rowid"]:checked')) return;
    event.preventDefault();
    window.alert("Choose some rows first.");
  }, true);

  // The library's links that only open something have no address: following one would be refused.
  document.addEventListener("click", (event) => {
    if (event.target.closest('a[href^="javascript:"]')) event.preventDefault();
  });

  // Times are UTC in the page and local on the screen.
  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) {
      time.title = time.dateTime;
      time.textContent = at.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    }
  }
})();
