// The two side panels: the calls that the bots made, and the faults that one may switch on.

import { act, read } from "./api.js";
import { actions, fill, h, part, show } from "./dom.js";
import { keep, nameOf, state } from "./state.js";

const KEPT_CALLS = 500;
const opened = new Set();

function panels() {
  return [...document.querySelectorAll("[data-panel]")];
}

export function openPanel(name) {
  for (const panel of panels()) show(panel, panel.dataset.panel === name);
  document.body.classList.toggle("with-panel", Boolean(name));
  for (const each of ["calls", "faults"]) {
    for (const button of actions(each)) button.setAttribute("aria-pressed", String(each === name));
  }
  keep({ panel: name });
}

export function panelOpen() {
  return panels().find((panel) => !panel.hidden)?.dataset.panel || "";
}

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;

function tokenClass([, string, colon, word, number]) {
  if (string !== undefined) return colon ? "json-key" : "json-string";
  if (word !== undefined) return "json-word";
  return number !== undefined ? "json-number" : "";
}

/** JSON as coloured text. */
export function json(value) {
  const text = JSON.stringify(value, null, 2) ?? "";
  const nodes = [];
  let at = 0;
  for (const found of text.matchAll(TOKEN)) {
    const token = found[1] ?? found[0];
    nodes.push(text.slice(at, found.index), h("span", { class: tokenClass(found) }, token));
    at = found.index + token.length;
  }
  return h("pre", { class: "json" }, nodes, text.slice(at));
}

function when(call) {
  const seconds = call.date ?? call.answer?.result?.edit_date ?? call.answer?.result?.date;
  return seconds ? new Date(seconds * 1000).toLocaleTimeString([], { hourCycle: "h23" }) : "";
}

function took(call) {
  if (call.ms === undefined) return null;
  return call.ms < 1 ? "<1 ms" : `${Math.round(call.ms)} ms`;
}

/** Parameters with the JSON in their strings (keyboards, entities) as JSON. */
function unpacked(params) {
  const entries = Object.entries(params).map(([name, value]) => {
    if (typeof value !== "string" || !/^[[{]/.test(value)) return [name, value];
    try {
      return [name, JSON.parse(value)];
    } catch {
      return [name, value];
    }
  });
  return Object.fromEntries(entries);
}

function details(call) {
  const parts = call.update ? [h("h4", {}, "Update"), json(call.update)] : [h("h4", {}, "Answer"), json(call.answer)];
  if (!call.update && Object.keys(call.params).length) parts.unshift(h("h4", {}, "Parameters"), json(unpacked(call.params)));
  const made = call.messages.at(-1);
  if (made) {
    parts.push(h("button", { type: "button", class: "quiet-button", "data-show-message": made.message_id, "data-in-chat": made.chat_id }, "Show the message"));
  }
  return h("div", { class: "call-body" }, parts);
}

function status(call) {
  if (call.update) return h("span", { class: "status", "data-good": "in" }, "in");
  const good = call.status >= 200 && call.status < 400;
  return h("span", { class: "status", "data-good": String(good) }, String(call.status || "cut"));
}

function callItem(call) {
  const open = opened.has(call.n);
  const head = h(
    "button",
    { type: "button", class: "call-head", "aria-expanded": String(open), "data-toggle": call.n },
    status(call),
    h("code", {}, call.method),
    h("span", { class: "call-time" }, [when(call), took(call)].filter(Boolean).join(" · ")),
  );
  return h("li", { class: "call", "data-call": call.n, "data-method": call.method }, head, open ? details(call) : null);
}

function wanted(call) {
  const filter = part("call-filter").value.trim().toLowerCase();
  if (filter && !call.method.toLowerCase().includes(filter)) return false;
  if (call.bot_id !== state.bot) return false;
  if (!part("call-here").checked) return true;
  const about = Number(call.params.chat_id ?? call.messages[0]?.chat_id);
  return !about || about === state.chat;
}

export function drawCalls() {
  const found = state.calls.filter(wanted);
  fill(part("calls"), found.map(callItem));
  show(part("calls-empty"), found.length === 0);
}

/** What the feed tells of a call, or of a person's message that the bot got, as a list entry. */
export function asCall(happening) {
  if (happening.kind === "call") return happening;
  const { n, bot_id, chat_id, message, update } = happening;
  const method = Object.keys(update).find((key) => key !== "update_id");
  const messages = [{ chat_id, message_id: message.message_id }];
  return { n, bot_id, method, update, messages, date: message.date, params: { chat_id } };
}

/** A call that was made just now. */
export function addCall(call) {
  state.calls.unshift(call);
  state.calls.length = Math.min(state.calls.length, KEPT_CALLS);
  if (!wanted(call)) return;
  part("calls").prepend(callItem(call));
  while (part("calls").children.length > KEPT_CALLS) part("calls").lastChild.remove();
  show(part("calls-empty"), false);
}

function touches(call, message) {
  return call.messages.some((made) => made.chat_id === state.chat && made.message_id === message.message_id);
}

/** Open the panel at the newest call that made or changed a message. */
export function showCall(message) {
  const call = state.calls.find((one) => one.bot_id === state.bot && touches(one, message));
  if (!call) return false;
  part("call-filter").value = "";
  opened.add(call.n);
  openPanel("calls");
  drawCalls();
  const item = part("calls").querySelector(`[data-call="${call.n}"]`);
  item.scrollIntoView({ block: "nearest" });
  item.classList.add("flash");
  return true;
}

function toggleCall(number) {
  const call = state.calls.find((one) => one.n === number);
  if (!opened.delete(number)) opened.add(number);
  const item = callItem(call);
  part("calls").querySelector(`[data-call="${number}"]`).replaceWith(item);
  item.querySelector("button").focus();
}

function clickCall(event, { goTo }) {
  const target = event.target.closest("button");
  if (!target) return;
  if ("toggle" in target.dataset) toggleCall(Number(target.dataset.toggle));
  if ("showMessage" in target.dataset) goTo(Number(target.dataset.inChat), Number(target.dataset.showMessage));
}

function faultText(fault) {
  const kind = state.faultKinds.find((one) => one.kind === fault.kind);
  const label = kind?.unit ? `${kind.label}, ${fault.value} ${kind.unit}` : kind?.label || fault.kind;
  const where = state.chats.find((one) => one.id === fault.chat);
  const method = fault.method === "*" ? "every method" : fault.method;
  const times = fault.times === null ? "until healed" : `${fault.times} more ${fault.times === 1 ? "time" : "times"}`;
  return [label, `${method}${fault.chat ? ` in ${where?.title || fault.chat}` : ""}, ${times}`];
}

export function drawFaults() {
  const number = state.faults.length;
  show(part("fault-count"), number > 0);
  part("fault-count").textContent = String(number);
  show(actions("heal")[0], number > 0);
  fill(
    part("faults"),
    state.faults.map((fault) => {
      const [title, detail] = faultText(fault);
      return h("li", { "data-fault": fault.kind }, h("strong", {}, title), h("span", {}, detail));
    }),
  );
}

function drawFaultKind() {
  const kind = state.faultKinds.find((one) => one.kind === part("fault-kind").value);
  const label = part("fault-value-label");
  show(label, Boolean(kind?.unit));
  label.querySelector("input").disabled = !kind?.unit;
  label.firstChild.textContent = kind?.unit === "s" ? "Seconds" : "Value";
}

/** Fill the choices of the fault form. */
export function drawFaultForm() {
  fill(part("fault-kind"), state.faultKinds.map((one) => h("option", { value: one.kind }, one.label)));
  fill(document.getElementById("methods"), state.methods.map((name) => h("option", { value: name })));
  drawFaultChats();
  drawFaultKind();
}

function drawFaultChats() {
  const before = part("fault-chat").value;
  fill(
    part("fault-chat"),
    h("option", { value: "" }, "Every chat"),
    state.people.map((one) => h("option", { value: one.id }, `${nameOf(one)}, in private`)),
    state.rooms.map((one) => h("option", { value: one.id }, one.title)),
  );
  part("fault-chat").value = before;
}

async function addFault(form) {
  const fields = new FormData(form);
  const { faults } = await act("fail", {
    kind: fields.get("kind"),
    value: fields.has("value") ? Number(fields.get("value")) : null,
    method: fields.get("method").trim() || "*",
    chat: fields.get("chat") ? Number(fields.get("chat")) : null,
    times: fields.get("times") ? Number(fields.get("times")) : null,
  });
  state.faults = faults;
  drawFaults();
}

/** Read the faults anew: a used-up one goes away by itself. */
export async function refreshFaults() {
  state.faults = (await read("faults")).faults;
  drawFaults();
}

/** Wire both panels. */
export function startPanels({ goTo, toast }) {
  const guarded = (promise) => promise.catch((error) => toast(error.message));
  for (const name of ["calls", "faults"]) {
    for (const button of actions(name)) {
      button.addEventListener("click", () => openPanel(panelOpen() === name ? "" : name));
    }
  }
  for (const button of actions("panel-close")) button.addEventListener("click", () => openPanel(""));
  part("calls").addEventListener("click", (event) => clickCall(event, { goTo }));
  part("call-filter").addEventListener("input", drawCalls);
  part("call-here").addEventListener("change", drawCalls);
  actions("calls-clear")[0].addEventListener("click", () => {
    state.calls = [];
    drawCalls();
  });
  part("fault-kind").addEventListener("change", drawFaultKind);
  part("fault-form").addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(addFault(event.target));
  });
  actions("heal")[0].addEventListener("click", () => guarded(act("heal", {}).then(refreshFaults)));
}
