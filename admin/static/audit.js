// The audit page: has the chain checked part by part, and says how far it is.
"use strict";
(() => {
  const button = document.querySelector("[data-verify]");
  const said = document.querySelector("[data-verify-said]");

  function tell(text, tone) {
    said.hidden = false;
    said.className = `said ${tone}`;
    said.textContent = text;
  }

  async function verify() {
    let after = 0;
    let count = 0;
    for (;;) {
      const answer = await fetch(`${button.dataset.verify}?after=${after}`, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(`the panel answered ${answer.status}`);
      const part = await answer.json();
      count += part.seen;
      if (part.broken !== null) return tell(`The chain is broken at the entry ${part.broken}: it was changed, or the one before it is missing.`, "said-bad");
      if (part.over) return tell(`The chain holds: ${count.toLocaleString()} entries, the last one is ${part.last}.`, "said-good");
      after = part.last;
      tell(`${count.toLocaleString()} entries are as they were written…`, "");
    }
  }

  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await verify();
    } catch (error) {
      tell(`The chain could not be checked: ${error.message}. Try again.`, "said-warn");
    }
    button.disabled = false;
  });
})();
