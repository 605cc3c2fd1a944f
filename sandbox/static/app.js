// The chat page: opens chats, follows the sandbox's happenings, and joins the parts.

import { act, listen, read } from "./api.js";
import { clearStrip, drawComposer, escape, focusInput, say, startComposer, startEdit, startReply } from "./composer.js";
import { actions, drawIcons, fill, icon, part, show } from "./dom.js";
import { addCall, asCall, drawCalls, drawFaultForm, drawFaults, openPanel, panelOpen, refreshFaults, showCall, startPanels } from "./panels.js";
import { startRecording } from "./recording.js";
import { drawSidebar, startSidebar } from "./sidebar.js";
import { addUnread, chat, keep, markRead, recall, recallUnread, state } from "./state.js";
import { drawEmpty, drawHead, drawMessages, flash, here, openThread, putMessage, startThread, typingWord } from "./thread.js";

const TYPING_MS = 5000;
const TOAST_MS = 3500;
const app = document.getElementById("app");
let toastTimer = 0;
let stream = null;

function toast(text) {
  const box = part("toast");
  box.textContent = text;
  show(box, true);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => show(box, false), TOAST_MS);
}

function alertBox(text) {
  part("alert-text").textContent = text;
  if (!part("alert").open) part("alert").showModal();
}

function lookAt(view) {
  app.dataset.view = view;
}

async function refreshChats() {
  const { bot: botId, person: personId } = state;
  const { chats } = await read("chats", { bot: botId, person: personId });
  if (state.bot !== botId || state.person !== personId) return;
  state.chats = chats;
  drawSidebar();
  drawHead();
  drawComposer();
}

async function refreshCommands() {
  const { commands } = await read("commands", here());
  state.commands = commands;
  drawComposer();
}

function stopWaiting() {
  for (const button of document.querySelectorAll(".waiting")) button.classList.remove("waiting");
}

async function openChat(chatId, { look = true } = {}) {
  state.chat = chatId;
  clearStrip();
  keep({ chat: chatId });
  if (look) lookAt("thread");
  await Promise.all([openThread(), refreshCommands()]);
  drawSidebar();
  drawComposer();
  drawCalls();
  if (look) focusInput();
}

async function speakAs(personId) {
  const wasPrivate = state.people.some((one) => one.id === state.chat);
  state.person = personId;
  keep({ person: personId });
  await refreshChats();
  await openChat(wasPrivate ? personId : state.chat, { look: app.dataset.view === "thread" });
}

async function useBot(botId) {
  state.bot = botId;
  keep({ bot: botId });
  await refreshChats();
  await openChat(state.chat, { look: false });
}

/** Open a link; one to a bot of the sandbox stays inside it. True when it did. */
function follow(url, { only = false } = {}) {
  const deep = /^(?:https?:\/\/(?:t|telegram)\.me\/|tg:\/\/resolve\?domain=)(\w+)(?:[?&]start=([\w-]+))?/i.exec(url);
  const target = deep && state.bots.find((one) => one.username?.toLowerCase() === deep[1].toLowerCase());
  if (target) {
    startBot(target.id, deep[2]).catch((error) => toast(error.message));
    return true;
  }
  if (!only && /^https?:/i.test(url)) window.open(url, "_blank", "noopener,noreferrer");
  return false;
}

async function startBot(botId, parameter) {
  if (botId !== state.bot) await useBot(botId);
  await openChat(state.person);
  await say(parameter ? `/start ${parameter}` : "/start");
}

function setTyping(happening) {
  if (happening.bot_id !== state.bot) return;
  clearTimeout(state.typing.get(happening.chat_id)?.timer);
  const timer = setTimeout(() => endTyping(happening.chat_id), TYPING_MS);
  state.typing.set(happening.chat_id, { text: typingWord(happening.action), timer });
  drawHead();
  drawSidebar();
}

function endTyping(chatId) {
  if (!state.typing.delete(chatId)) return;
  drawHead();
  drawSidebar();
}

function isOpen(happening) {
  return happening.bot_id === state.bot && happening.chat_id === state.chat;
}

function readers(happening) {
  const one = state.people.find((each) => each.id === happening.chat_id);
  return one ? [one] : state.people;
}

function countUnread(happening) {
  const from = happening.message.from?.id;
  for (const one of readers(happening)) {
    const seen = one.id === state.person && isOpen(happening) && !document.hidden;
    if (one.id !== from && !seen) addUnread(happening.bot_id, one.id, happening.chat_id);
  }
}

function heard(happening) {
  if (happening.update) addCall(asCall(happening));
  if (happening.message.from?.is_bot) endTyping(happening.chat_id);
  countUnread(happening);
  changed(happening);
}

function changed(happening) {
  if (isOpen(happening)) {
    stopWaiting();
    putMessage(happening.message);
  }
  if (happening.bot_id === state.bot) later(refreshChats);
}

function answered(happening) {
  if (happening.bot_id !== state.bot || happening.person_id !== state.person) return;
  stopWaiting();
  if (happening.url) follow(happening.url);
  if (!happening.text) return;
  if (happening.show_alert) alertBox(happening.text);
  else toast(happening.text);
}

function called(happening) {
  addCall({ date: Date.now() / 1000, ...happening });
  if (state.faults.length) later(refreshFaults);
}

function deleted(happening) {
  const message = isOpen(happening) && state.messages.get(happening.message_id);
  if (message) putMessage({ ...message, deleted: true });
  if (happening.bot_id === state.bot) later(refreshChats);
}

const HANDLERS = {
  message: heard,
  edit: changed,
  delete: deleted,
  reaction: reacted,
  call: called,
  answer: answered,
  action: setTyping,
  members: () => later(refreshChats),
  commands: () => later(refreshCommands),
};

const waiting = new Set();

/** Run once soon, however often it is asked for now. */
function later(deed) {
  if (waiting.has(deed)) return;
  waiting.add(deed);
  setTimeout(() => {
    waiting.delete(deed);
    deed().catch(() => setConnection("off"));
  }, 40);
}

function reacted(happening) {
  const message = isOpen(happening) && state.messages.get(happening.message_id);
  if (!message) return;
  const reactions = { ...message.reactions, [happening.actor]: happening.reaction };
  putMessage({ ...message, reactions });
}

function setConnection(word) {
  const label = { on: "Connected", off: "The sandbox does not answer. Trying again…", wait: "" }[word];
  const box = document.querySelector("[data-connection]");
  box.dataset.connection = word;
  box.title = label;
  box.setAttribute("aria-label", label);
}

function meetBots(bots) {
  const gone = !bots.some((one) => one.id === state.bot);
  state.bots = bots;
  if (gone) return useBot(bots[0].id);
  drawEmpty();
  return refreshChats();
}

function among(list, id, fallback) {
  return list.some((one) => one.id === id) ? id : fallback;
}

async function load() {
  const fresh = await read("state");
  Object.assign(state, {
    boot: fresh.boot,
    bots: fresh.bots,
    people: fresh.people,
    rooms: fresh.rooms,
    methods: fresh.methods,
    faultKinds: fresh.fault_kinds,
    faults: fresh.faults,
    calls: fresh.calls.map(asCall),
  });
  recallUnread();
  state.person = among(state.people, recall("person"), state.people[0].id);
  state.bot = among(state.bots, recall("bot"), state.bots[0].id);
  await refreshChats();
  drawFaultForm();
  drawFaults();
  const first = among(state.chats, recall("chat"), state.person);
  await openChat(first, { look: app.dataset.view === "thread" });
  drawCalls();
  connect(fresh.last);
}

function connect(after) {
  stream?.close();
  stream = listen(after, {
    onBoot: (boot) => boot !== state.boot && load(),
    onHappening: (happening) => HANDLERS[happening.kind]?.(happening),
    onBots: (bots) => meetBots(bots).catch((error) => toast(error.message)),
    onState: setConnection,
  });
}

async function changeMembership() {
  const open = chat();
  if (open.type === "private") await act("block", { ...here(), blocked: !open.blocked });
  else await act("member", { ...here(), status: open.inside ? "left" : "member" });
  await refreshChats();
  drawMessages();
}

function applyTheme(name) {
  const dark = name ? name === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  for (const button of actions("theme")) fill(button, icon(dark ? "sun" : "moon"));
}

function toggleTheme() {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  keep({ theme });
  applyTheme(theme);
}

function pick(item, message) {
  if (matchMedia("(hover: none)").matches) item.classList.toggle("open");
  else showCallOf(message);
}

function showCallOf(message) {
  if (showCall(message)) return;
  const hidden = message.from && !message.from.is_bot;
  toast(hidden ? "The bot does not see this message (privacy mode)." : "The call of this message is no longer kept.");
}

async function goTo(chatId, messageId) {
  if (matchMedia("(max-width: 720px)").matches) openPanel("");
  const known = state.chats.some((one) => one.id === chatId);
  if (chatId !== state.chat && !known) await speakAs(chatId);
  if (chatId !== state.chat) await openChat(chatId);
  flash(messageId);
}

function escapeAll(event) {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if (escape()) return;
  const picker = document.querySelector(".picker");
  if (picker) picker.remove();
  else if (panelOpen()) openPanel("");
  else lookAt("list");
}

function startPage() {
  drawIcons();
  applyTheme(recall("theme"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => applyTheme(recall("theme")));
  actions("theme")[0].addEventListener("click", toggleTheme);
  actions("back")[0].addEventListener("click", () => lookAt("list"));
  const guarded = (promise) => promise.catch((error) => toast(error.message));
  for (const button of actions("membership")) button.addEventListener("click", () => guarded(changeMembership()));
  document.addEventListener("keydown", escapeAll);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    markRead(state.bot, state.person, state.chat);
    drawSidebar();
  });
  startSidebar({
    openChat: (id) => guarded(openChat(id)),
    speakAs: (id) => guarded(speakAs(id)),
    useBot: (id) => guarded(useBot(id)),
  });
  startThread({ say, follow, toast, pick, reply: startReply, edit: startEdit, showCall: showCallOf });
  startComposer({ toast });
  startRecording({ place: here, toast });
  startPanels({ goTo: (chatId, messageId) => guarded(goTo(chatId, messageId)), toast });
  const wide = matchMedia("(min-width: 1100px)").matches;
  openPanel(wide ? recall("panel") || "" : "");
  load().catch((error) => {
    setConnection("off");
    toast(error.message);
  });
}

startPage();
