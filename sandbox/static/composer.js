// Writing: text, commands, files, replies, edits, and the bot's reply keyboard.

import { act, upload } from "./api.js";
import { actions, fill, h, icon, part, show, size } from "./dom.js";
import { chat, nameOf, person, state } from "./state.js";
import { preview } from "./text.js";
import { here, rights } from "./thread.js";

const input = part("input");
const menu = part("command-menu");
const PHOTOS = ["image/jpeg", "image/png", "image/webp"];

let chosen = 0;
let recalled = -1;
let keyboardHidden = false;
let lastKeyboard = "";

export function fit() {
  input.style.height = "auto";
  if (!input.scrollHeight) return; // not shown now
  input.style.height = `${Math.min(input.scrollHeight, 160)}px`;
}

function matches() {
  const typed = /^\/([\w]*)$/.exec(input.value);
  if (!typed) return [];
  return state.commands.filter((one) => one.command.startsWith(typed[1].toLowerCase()));
}

function drawMenu(found) {
  show(menu, found.length > 0);
  input.setAttribute("aria-expanded", String(found.length > 0));
  chosen = Math.max(0, Math.min(chosen, found.length - 1));
  fill(
    menu,
    found.map((one, index) =>
      h(
        "li",
        { role: "option", id: `command-${index}`, "data-command": one.command, "aria-selected": String(index === chosen) },
        h("strong", {}, `/${one.command}`),
        h("span", {}, one.description),
      ),
    ),
  );
  if (!found.length) return input.removeAttribute("aria-activedescendant");
  input.setAttribute("aria-activedescendant", `command-${chosen}`);
  menu.children[chosen].scrollIntoView({ block: "nearest" });
}

function closeMenu() {
  chosen = 0;
  drawMenu([]);
}

export function drawStrip() {
  const { replyTo, editing, file } = state;
  show(part("strip"), Boolean(replyTo || editing || file));
  const [picture, title, detail] = editing
    ? ["pencil", "Edit message", preview(editing)]
    : file
      ? ["clip", file.name, `${PHOTOS.includes(file.type) ? "Photo" : "File"}, ${size(file.size)}`]
      : ["reply", replyTo ? `Reply to ${nameOf(replyTo.sender_chat || replyTo.from)}` : "", replyTo ? preview(replyTo) : ""];
  fill(part("strip-icon"), icon(picture));
  part("strip-title").textContent = title;
  part("strip-detail").textContent = detail;
}

export function clearStrip() {
  if (state.editing) input.value = "";
  Object.assign(state, { replyTo: null, editing: null, file: null });
  part("file").value = "";
  drawStrip();
  fit();
}

export function startReply(message) {
  Object.assign(state, { replyTo: message, editing: null });
  drawStrip();
  input.focus();
}

export function startEdit(message) {
  Object.assign(state, { replyTo: null, editing: message, file: null });
  input.value = message.text;
  drawStrip();
  fit();
  input.focus();
}

function attach(file) {
  if (!file) return;
  Object.assign(state, { file, editing: null });
  drawStrip();
  input.focus();
}

function readOnlyText() {
  const place = chat();
  if (!place || rights().write) return "";
  if (place.type === "channel") return `Only ${nameOf(state.people.find((one) => one.owner))} can post here.`;
  return "You are not in this group.";
}

/** The keyboard that the bot shows to the speaker: the chat's own, or none. */
function keyboard() {
  const found = chat()?.keyboard;
  return found?.keyboard?.length ? found : null;
}

function keyOf(button) {
  const label = typeof button === "string" ? button : button.text;
  return h("button", { type: "button", "data-key": label }, label);
}

function drawKeyboard() {
  const found = keyboard();
  const shape = JSON.stringify(found);
  if (shape !== lastKeyboard) keyboardHidden = false;
  lastKeyboard = shape;
  const visible = Boolean(found) && !keyboardHidden && rights().write;
  for (const button of actions("keyboard")) {
    show(button, Boolean(found) && rights().write);
    button.setAttribute("aria-pressed", String(visible));
  }
  show(part("reply-keyboard"), visible);
  if (found) fill(part("reply-keyboard"), found.keyboard.map((row) => h("div", { class: "key-row" }, row.map(keyOf))));
}

export function drawComposer() {
  const reason = readOnlyText();
  show(part("composer"), !reason);
  show(part("read-only"), Boolean(reason));
  part("read-only").textContent = reason;
  const markup = chat()?.keyboard;
  const posting = chat()?.type === "channel";
  input.placeholder = markup?.input_field_placeholder || (posting ? "Post to the channel" : `Message as ${person()?.first_name ?? ""}`);
  for (const button of actions("commands")) show(button, state.commands.length > 0 && !posting);
  drawKeyboard();
  drawMenu(matches());
}

function deed(text, { editing, file, replyTo }) {
  if (editing) return act("edit", { ...here(), message: editing.message_id, text });
  if (!file) return say(text, replyTo);
  const kind = PHOTOS.includes(file.type) ? "photo" : "document";
  return upload("send", { ...here(), [kind]: file, caption: text, reply_to: replyTo?.message_id });
}

/** Say something as the speaker in the open chat. */
export async function say(text, replyTo = null) {
  if (chat()?.type === "channel") return act("post", { ...here(), text });
  return act("send", { ...here(), text, reply_to: replyTo?.message_id ?? null });
}

async function submit() {
  const text = input.value.trim();
  const { editing, file, replyTo } = state;
  if (!text && !file) return;
  closeMenu();
  if (text && !editing) state.sent.unshift(text);
  recalled = -1;
  input.value = "";
  clearStrip();
  try {
    await deed(text, { editing, file, replyTo });
  } catch (error) {
    Object.assign(state, { editing, file, replyTo });
    input.value ||= text;
    drawStrip();
    throw error;
  }
}

function recallSent(event) {
  const fresh = input.value === "" || input.value === state.sent[recalled];
  if (!fresh || recalled + 1 >= state.sent.length) return;
  event.preventDefault();
  if (input.value === "") recalled = -1;
  recalled += 1;
  input.value = state.sent[recalled];
  fit();
}

function moveInMenu(event, found) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by) {
    event.preventDefault();
    chosen = (chosen + by + found.length) % found.length;
    drawMenu(found);
    return true;
  }
  if (event.key !== "Tab" && event.key !== "Enter") return false;
  event.preventDefault();
  input.value = `/${found[chosen].command}${event.key === "Tab" ? " " : ""}`;
  return event.key === "Tab" ? (closeMenu(), true) : false;
}

function keydown(event, send) {
  if (event.isComposing) return;
  const open = menu.hidden ? [] : matches();
  if (open.length && moveInMenu(event, open)) return;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    send();
  }
  if (event.key === "ArrowUp") recallSent(event);
}

/** What Escape closes here, the innermost first; false when there is nothing. */
export function escape() {
  if (!menu.hidden) closeMenu();
  else if (state.replyTo || state.editing || state.file) clearStrip();
  else return false;
  return true;
}

function startDrop() {
  const area = part("scroller").parentElement;
  const hover = (visible) => show(part("drop"), visible && rights().write);
  area.addEventListener("dragover", (event) => {
    event.preventDefault();
    hover(true);
  });
  area.addEventListener("dragleave", (event) => area.contains(event.relatedTarget) || hover(false));
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    hover(false);
    if (rights().write) attach(event.dataTransfer.files[0]);
  });
}

function startKeys(send, guarded) {
  input.addEventListener("keydown", (event) => keydown(event, send));
  input.addEventListener("input", () => {
    fit();
    drawMenu(matches());
  });
  input.addEventListener("paste", (event) => event.clipboardData.files.length && attach(event.clipboardData.files[0]));
  menu.addEventListener("mousedown", (event) => {
    event.preventDefault();
    const option = event.target.closest("[data-command]");
    if (!option) return;
    input.value = `/${option.dataset.command}`;
    send();
  });
  part("reply-keyboard").addEventListener("click", (event) => {
    const key = event.target.closest("[data-key]");
    if (!key) return;
    if (keyboard()?.one_time_keyboard) keyboardHidden = true;
    guarded(say(key.dataset.key, state.replyTo));
    clearStrip();
    drawKeyboard();
  });
}

function startButtons() {
  actions("attach")[0].addEventListener("click", () => part("file").click());
  part("file").addEventListener("change", (event) => attach(event.target.files[0]));
  actions("strip-close")[0].addEventListener("click", clearStrip);
  actions("keyboard")[0].addEventListener("click", () => {
    keyboardHidden = !keyboardHidden;
    drawKeyboard();
  });
  actions("commands")[0].addEventListener("click", () => {
    input.value = menu.hidden ? "/" : "";
    drawMenu(matches());
    input.focus();
  });
}

/** Wire the composer; errors are told through `toast`. */
export function startComposer({ toast }) {
  const guarded = (promise) => promise.catch((error) => toast(error.message));
  const send = () => guarded(submit());
  part("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  startKeys(send, guarded);
  startButtons();
  startDrop();
}

export function focusInput() {
  if (matchMedia("(hover: hover)").matches) input.focus();
}
