// The open chat: its head, its messages, scrolling, and what a click on a message does.

import { act, fileUrl, read } from "./api.js";
import { actions, avatar, day, fill, h, paintAvatar, part, show } from "./dom.js";
import { EMOJI, bubble } from "./bubble.js";
import { bot, chat, isMine, markRead, nameOf, state } from "./state.js";

const list = part("messages");
const scroller = part("scroller");
const NEAR = 120;
const READY = "Press Start or type /start. Nothing leaves this machine.";
const WAITING = "No bot is running yet. Press Start anyway: the bot reads what waits for it when it comes.";

/** What the speaker may do in the open chat. */
export function rights() {
  const here = chat();
  if (!here) return { write: false, react: false, names: false };
  const inside = here.type === "private" || here.inside;
  const write = here.type === "channel" ? here.status === "creator" : inside;
  return { write, react: inside, names: here.type !== "private" && here.type !== "channel" };
}

function subtitle(here) {
  if (state.typing.has(here.id)) return `${here.type === "private" ? "" : `${nameOf(bot())} is `}${state.typing.get(here.id).text}…`;
  if (here.type === "private") return here.blocked ? "bot · blocked" : `bot · ${bot()?.online ? "online" : "not running"}`;
  if (here.type === "channel") return `channel · ${here.members} subscribers`;
  return `group · ${here.members} members`;
}

function membershipWord(here) {
  if (here.type === "private") return here.blocked ? "Unblock" : "Block";
  if (here.status === "creator") return "";
  return here.inside ? "Leave" : "Join";
}

function followEnd() {
  let atEnd = true;
  scroller.addEventListener("scroll", () => {
    atEnd = nearEnd();
    if (atEnd) show(actions("jump")[0], false);
  });
  new ResizeObserver(() => atEnd && toEnd()).observe(scroller);
}

export function drawHead() {
  const here = chat();
  if (!here) return;
  paintAvatar(part("chat-avatar"), here.type === "private" ? state.bot : here.id, here.title);
  part("chat-title").textContent = here.title;
  part("chat-subtitle").textContent = subtitle(here);
  part("chat-subtitle").classList.toggle("typing", state.typing.has(here.id));
  const word = membershipWord(here);
  for (const button of actions("membership")) {
    button.textContent = word;
    show(button, Boolean(word));
  }
}

function nearEnd() {
  return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
}

export function toEnd(behavior = "auto") {
  scroller.scrollTo({ top: scroller.scrollHeight, behavior });
}

function separator(date) {
  return h("li", { class: "day", "data-day": day(date) }, h("span", {}, day(date)));
}

function daysBetween(message, before) {
  return !before || day(before.date) !== day(message.date) ? [separator(message.date)] : [];
}

function emptyState() {
  const here = chat();
  if (!here) return [];
  if (here.type !== "private") {
    const hint = here.type === "channel" ? "Nothing was posted yet." : "Nobody has said anything yet.";
    return [h("p", {}, hint)];
  }
  const start = h("button", { type: "button", class: "primary", "data-say": "/start" }, "Start");
  return [
    avatar(state.bot, here.title),
    h("h3", {}, `Say hello to ${here.title}`),
    h("p", {}, bot()?.online ? READY : WAITING),
    start,
  ];
}

export function drawEmpty() {
  const empty = state.messages.size === 0;
  show(part("empty"), empty);
  if (empty) fill(part("empty"), h("div", { class: "empty-card" }, emptyState()));
}

export function drawMessages() {
  const messages = [...state.messages.values()].sort((a, b) => a.message_id - b.message_id);
  const may = rights();
  const rows = messages.flatMap((message, index) => [
    ...daysBetween(message, messages[index - 1]),
    bubble(message, may, messages[index - 1]),
  ]);
  const older = h("li", { class: "older" }, h("button", { type: "button", class: "quiet-button", "data-older": "" }, "Earlier messages"));
  fill(list, state.more ? older : null, rows);
  drawEmpty();
}

/** Read the open chat's messages anew and show the end of them. */
export async function openThread() {
  const { bot: botId, chat: chatId } = state;
  const page = await read("history", { bot: botId, chat: chatId });
  if (state.bot !== botId || state.chat !== chatId) return;
  state.messages = new Map(page.messages.map((message) => [message.message_id, message]));
  state.more = page.more;
  markRead(state.bot, state.person, state.chat);
  drawHead();
  drawMessages();
  toEnd();
}

async function showOlder() {
  const first = Math.min(...state.messages.keys());
  const page = await read("history", { bot: state.bot, chat: state.chat, before: first });
  const older = page.messages.map((message) => [message.message_id, message]);
  const height = scroller.scrollHeight;
  state.messages = new Map([...older, ...state.messages]);
  state.more = page.more;
  drawMessages();
  scroller.scrollTop += scroller.scrollHeight - height;
}

/** Show a message that is new or changed. */
export function putMessage(message) {
  const known = list.querySelector(`[data-message="${message.message_id}"]`);
  const follow = nearEnd() || isMine(message);
  state.messages.set(message.message_id, message);
  const above = [...state.messages.values()].filter((one) => one.message_id < message.message_id).pop();
  const item = bubble(message, rights(), above);
  if (known) known.replaceWith(item);
  else {
    item.classList.add("fresh");
    list.append(...daysBetween(message, above), item);
  }
  drawEmpty();
  if (follow) toEnd();
  else if (!known) show(actions("jump")[0], true);
}

export function flash(messageId) {
  const item = list.querySelector(`[data-message="${messageId}"]`);
  if (!item) return;
  item.scrollIntoView({ block: "center", behavior: "smooth" });
  item.classList.remove("flash");
  requestAnimationFrame(() => item.classList.add("flash"));
}

function openPhoto(fileId) {
  part("lightbox-image").src = fileUrl(fileId);
  part("lightbox").showModal();
}

function reactionPicker(messageId) {
  const item = list.querySelector(`[data-message="${messageId}"]`);
  const open = item.querySelector(".picker");
  if (open) {
    open.remove();
    return;
  }
  const choices = EMOJI.map((emoji) => h("button", { type: "button", "data-react": emoji, "aria-label": `React with ${emoji}` }, emoji));
  item.querySelector(".stack").append(h("div", { class: "picker", role: "group", "aria-label": "Reactions" }, choices));
  item.querySelector(".picker button").focus();
}

function react(message, emoji) {
  const mine = message.reactions?.[state.person] || [];
  const same = mine.some((one) => one.emoji === emoji);
  return act("react", { ...here(), message: message.message_id, emoji: same ? null : emoji });
}

/** The place and the person that a deed is done in and by. */
export function here() {
  return { bot: state.bot, chat: state.chat, person: state.person };
}

function pressed(message, target) {
  const [y, x] = target.dataset.button.split(":").map(Number);
  return message.reply_markup.inline_keyboard[y][x];
}

async function press(message, target, hooks) {
  const button = pressed(message, target);
  const url = button.url || button.web_app?.url || button.login_url?.url;
  if (url) return hooks.follow(url);
  if (button.callback_data === undefined) return hooks.toast("The sandbox does not act on this kind of button.");
  target.classList.add("waiting");
  setTimeout(() => target.classList.remove("waiting"), 10000);
  return act("press", { ...here(), message: message.message_id, data: button.callback_data });
}

function useTool(name, message, hooks) {
  if (name === "reply") hooks.reply(message);
  if (name === "edit") hooks.edit(message);
  if (name === "call") hooks.showCall(message);
  if (name === "react") reactionPicker(message.message_id);
}

async function click(event, hooks) {
  const target = event.target.closest("button, a, .bubble");
  if (!target) return;
  const { dataset } = target;
  if ("older" in dataset) return showOlder();
  if ("say" in dataset) return hooks.say(dataset.say);
  const item = target.closest("[data-message]");
  const message = item && state.messages.get(Number(item.dataset.message));
  if (!message) return;
  if ("button" in dataset) return press(message, target, hooks);
  if ("vote" in dataset) return act("vote", { ...here(), message: message.message_id, options: [Number(dataset.vote)] });
  if ("react" in dataset) return react(message, dataset.react);
  if ("tool" in dataset) return useTool(dataset.tool, message, hooks);
  if ("go" in dataset) return flash(Number(dataset.go));
  if ("photo" in dataset) return openPhoto(dataset.photo);
  if (target.href && hooks.follow(target.href, { only: true })) return event.preventDefault();
  if (target.classList.contains("bubble") && getSelection().isCollapsed) hooks.pick(item, message);
}

/** Wire the thread; `hooks` are the deeds of the other parts of the page. */
export function startThread(hooks) {
  const guarded = (event) => click(event, hooks).catch((error) => hooks.toast(error.message));
  list.addEventListener("click", guarded);
  part("empty").addEventListener("click", guarded);
  list.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.classList.contains("bubble")) guarded(event);
  });
  followEnd();
  actions("jump")[0].addEventListener("click", () => toEnd("smooth"));
  list.addEventListener("load", (event) => event.target.tagName === "IMG" && nearEnd() && toEnd(), true);
}

export function typingWord(action) {
  return { typing: "typing", upload_photo: "sending a photo", upload_document: "sending a file" }[action] || action.replaceAll("_", " ");
}
