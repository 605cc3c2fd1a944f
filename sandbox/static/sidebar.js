// The list of chats, and who one speaks as.

import { avatar, clock, fill, h, part, show } from "./dom.js";
import { nameOf, state, unread, unreadOf } from "./state.js";
import { preview } from "./text.js";

function count(number) {
  return number ? h("span", { class: "badge", "data-unread": number, "aria-label": `${number} unread` }, number > 99 ? "99+" : String(number)) : null;
}

function drawPeople() {
  fill(
    part("people"),
    state.people.map((one) =>
      h(
        "button",
        {
          type: "button",
          role: "radio",
          "data-person": one.id,
          "aria-checked": String(one.id === state.person),
          tabindex: one.id === state.person ? 0 : -1,
          title: one.owner ? `${nameOf(one)}, the bot's owner` : nameOf(one),
        },
        h("span", { class: "avatar-wrap" }, avatar(one.id, nameOf(one)), one.id === state.person ? null : count(unreadOf(state.bot, one.id))),
        h("span", { class: "person-name" }, one.first_name),
        h("span", { class: "person-role" }, one.owner ? "owner" : one.language_code || ""),
      ),
    ),
  );
}

function drawBots() {
  show(part("bot-choice"), state.bots.length > 1);
  fill(
    part("bot-select"),
    state.bots.map((one) => h("option", { value: one.id, selected: one.id === state.bot }, `${nameOf(one)} (@${one.username})`)),
  );
}

function speaker(chat, message) {
  if (chat.type !== "supergroup" && chat.type !== "group") return message.from?.id === state.person ? "You: " : "";
  return message.from?.id === state.person ? "You: " : `${nameOf(message.from)}: `;
}

function summary(chat) {
  const typing = state.typing.get(chat.id);
  if (typing) return h("span", { class: "chat-last typing" }, `${typing.text}…`);
  if (chat.last) return h("span", { class: "chat-last" }, speaker(chat, chat.last) + preview(chat.last));
  return h("span", { class: "chat-last" }, chat.type === "private" ? "Type /start" : "No messages yet");
}

function row(chat) {
  const number = unread(state.bot, state.person, chat.id);
  return h(
    "button",
    { type: "button", class: "chat-row", "data-chat": chat.id, "data-kind": chat.type, "aria-current": chat.id === state.chat ? "true" : null },
    avatar(chat.type === "private" ? state.bot : chat.id, chat.title),
    h(
      "span",
      { class: "chat-text" },
      h("span", { class: "chat-top" }, h("strong", {}, chat.title), chat.last ? h("time", {}, clock(chat.last.date)) : null),
      h("span", { class: "chat-bottom" }, summary(chat), count(number)),
    ),
  );
}

export function drawSidebar() {
  const focused = document.activeElement?.dataset?.chat;
  drawPeople();
  drawBots();
  fill(part("chats"), state.chats.map(row));
  if (focused) part("chats").querySelector(`[data-chat="${focused}"]`)?.focus();
}

function step(event) {
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!by) return null;
  event.preventDefault();
  const at = state.people.findIndex((one) => one.id === state.person);
  return state.people[(at + by + state.people.length) % state.people.length].id;
}

/** Wire the sidebar; `choose(bot, person, chat)` opens what was picked. */
export function startSidebar({ openChat, speakAs, useBot }) {
  part("people").addEventListener("click", (event) => {
    const target = event.target.closest("[data-person]");
    if (target) speakAs(Number(target.dataset.person));
  });
  part("people").addEventListener("keydown", async (event) => {
    const next = step(event);
    if (next === null) return;
    await speakAs(next);
    part("people").querySelector(`[data-person="${next}"]`).focus();
  });
  part("chats").addEventListener("click", (event) => {
    const target = event.target.closest("[data-chat]");
    if (target) openChat(Number(target.dataset.chat));
  });
  part("bot-select").addEventListener("change", (event) => useBot(Number(event.target.value)));
}
