// The page of conversations: new messages without a reload, and answers without leaving the page.
"use strict";
(() => {
  const EVERY = 2000;
  const talk = document.querySelector("[data-talk]");
  if (!talk) return;
  const token = document.querySelector('meta[name="csrf-token"]').content;
  const threads = talk.querySelector("[data-threads]");
  const bubbles = talk.querySelector("[data-bubbles]");
  const write = talk.querySelector("[data-write]");
  const read = talk.querySelector("[data-read]");
  const live = bubbles && "live" in talk.dataset;
  let readUpTo = 0;

  const local = (time, at, style = { dateStyle: "medium", timeStyle: "short" }) => {
    const when = new Date(at);
    if (!at || Number.isNaN(when.getTime())) return;
    time.dateTime = time.title = at;
    time.textContent = when.toLocaleString([], style);
  };
  const short = (time, at) => {
    const today = new Date(at).toDateString() === new Date().toDateString();
    local(time, at, today ? { timeStyle: "short" } : { dateStyle: "medium" });
  };
  const element = (name, look, text) => {
    const made = document.createElement(name);
    made.className = look;
    made.textContent = text;
    return made;
  };
  const headers = { Accept: "application/json", "X-CSRFToken": token };
  const atEnd = () => bubbles.scrollHeight - bubbles.scrollTop - bubbles.clientHeight < 80;
  const toEnd = () => { bubbles.scrollTop = bubbles.scrollHeight; };

  function fill(bubble, message) {
    const part = (name) => bubble.querySelector(`[data-${name}]`);
    bubble.classList.toggle("mine", message.mine);
    bubble.dataset.id = message.id;
    bubble.dataset.state = message.state;
    for (const name of ["text", "by", "kind", "error"]) part(name).textContent = message[name];
    part("said").textContent = message.state;
    part("kind").hidden = message.kind === "text";
    local(part("at"), message.at);
    const again = bubble.querySelector("input[name=message]");
    if (again) again.value = message.id;
  }

  function show(message) {
    let bubble = [...bubbles.children].find((each) => each.dataset.id === String(message.id));
    const follows = atEnd();
    if (!bubble) {
      bubbles.querySelector("[data-empty]")?.remove();
      bubble = talk.querySelector("[data-mould]").content.firstElementChild.cloneNode(true);
      bubbles.append(bubble);
    }
    fill(bubble, message);
    if (follows) toEnd();
  }

  function thread(row) {
    const link = element("a", "thread", "");
    const time = element("time", "", "");
    const marks = element("span", "thread-marks", "");
    link.href = row.url;
    if (link.pathname === location.pathname) link.setAttribute("aria-current", "true");
    short(time, row.at);
    if (row.taken) marks.append(element("i", "badge badge-accent", row.taken));
    if (row.unread) marks.append(element("i", "badge badge-bad", row.unread));
    link.append(element("b", "", row.name), time, element("span", "thread-text", row.text), marks);
    return link;
  }

  function list(rows) {
    const focus = threads.contains(document.activeElement) && document.activeElement.href;
    threads.replaceChildren(...rows.map(thread));
    talk.querySelector("[data-nothing]").hidden = rows.length > 0;
    if (focus) [...threads.children].find((link) => link.href === focus)?.focus();
  }

  function moved(taken) {
    if (taken === talk.dataset.taken) return;
    if (write?.elements.text.value) {
      const said = talk.querySelector("[data-moved]");
      said.textContent = taken ? `${taken} has just taken this over.` : "It was just handed back to the bot.";
      said.hidden = false;
    } else location.reload();
  }

  async function markRead() {
    const theirs = [...bubbles.querySelectorAll('[data-state="received"]')];
    const last = Math.max(0, ...theirs.map((each) => Number(each.dataset.id)));
    if (!read || !last || last <= readUpTo || !document.hasFocus()) return;
    readUpTo = last;
    read.hidden = true;
    const body = new URLSearchParams({ message: last });
    await fetch(read.action, { method: "POST", headers, body });
  }

  function question() {
    const { words, show, seen, bot, chat } = talk.dataset;
    const asked = { q: words, show, seen };
    if (live) {
      const shown = [...bubbles.querySelectorAll("[data-id]")];
      asked.bot = bot;
      asked.chat = chat;
      asked.after = Math.max(0, ...shown.map((each) => Number(each.dataset.id)));
      asked.open = shown.filter((each) => /^(queued|sending|unknown)$/.test(each.dataset.state))
        .slice(-50).map((each) => each.dataset.id).join();
    }
    return `${talk.dataset.news}?${new URLSearchParams(asked)}`;
  }

  async function look() {
    const answer = await fetch(question(), { headers: { ...headers, "X-Background": "1" } });
    if (answer.status === 401 || answer.status === 403) return false;
    if (!answer.ok) return true;
    const news = await answer.json();
    talk.dataset.seen = news.seen;
    if (news.threads && "first" in talk.dataset) list(news.threads);
    if (!live) return true;
    for (const message of [...news.changed, ...news.messages]) show(message);
    await markRead();
    moved(news.taken);
    return true;
  }

  async function keepLooking() {
    let goesOn = true;
    try {
      if (!document.hidden) goesOn = await look();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // the network is away for a moment
    }
    if (goesOn) setTimeout(keepLooking, EVERY);
    else talk.before(element("p", "said said-warn", "You are signed out: reload the page to go on."));
  }

  async function send(event) {
    event.preventDefault();
    const button = write.querySelector("button");
    const refused = write.querySelector("[data-refused]");
    if (button.disabled) return;
    button.disabled = true;
    try {
      const answer = await fetch(write.action, { method: "POST", headers, body: new FormData(write) });
      const told = answer.headers.get("Content-Type")?.includes("json") ? await answer.json() : {};
      refused.hidden = answer.ok;
      refused.textContent = answer.ok ? "" : told.said || "It was not sent: reload the page and try again.";
      if (answer.ok) {
        write.reset();
        write.elements.text.value = "";
        if (live) show(told.message);
        else location.reload();
      }
    } catch {
      refused.hidden = false;
      refused.textContent = "The panel cannot be reached. Look whether it was sent before you try again.";
    }
    button.disabled = false;
    write.elements.text.focus();
  }

  for (const time of threads.querySelectorAll("time[datetime]")) short(time, time.dateTime);
  if (bubbles) toEnd();
  if (write) {
    write.addEventListener("submit", send);
    write.elements.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) write.requestSubmit();
    });
  }
  keepLooking();
})();
