// One message as a bubble: text, media, buttons, reactions.

import { fileUrl } from "./api.js";
import { avatar, clock, h, hue, icon, size } from "./dom.js";
import { isMine, nameOf, state } from "./state.js";
import { preview, rich } from "./text.js";

const PHOTO_SIDE = 340;
const JOINED_SECONDS = 600;
export const EMOJI = ["👍", "❤", "🔥", "🎉", "😁", "🤔", "👎"];

function sender(message) {
  return message.sender_chat || message.from || message.chat;
}

function quote(message) {
  const original = message.reply_to_message;
  if (!original) return null;
  return h(
    "button",
    { type: "button", class: "quote", "data-go": original.message_id },
    h("strong", {}, nameOf(sender(original))),
    h("span", {}, preview(state.messages.get(original.message_id) || original)),
  );
}

function forwarded(message) {
  const origin = message.forward_origin;
  if (!origin) return null;
  const from = origin.sender_user || origin.sender_chat || origin.chat;
  return h("p", { class: "forwarded" }, `Forwarded from ${nameOf(from) || origin.sender_user_name || "somebody"}`);
}

function photo(message) {
  const largest = message.photo[message.photo.length - 1];
  const scale = Math.min(1, PHOTO_SIDE / Math.max(largest.width, largest.height));
  const image = h("img", {
    src: fileUrl(largest.file_id),
    alt: message.caption || "Photo",
    width: Math.round(largest.width * scale),
    height: Math.round(largest.height * scale),
  });
  return h(
    "button",
    { type: "button", class: message.has_media_spoiler ? "photo veiled" : "photo", "data-photo": largest.file_id, "aria-label": "Open the photo" },
    image,
  );
}

function fileCard(file) {
  return h(
    "a",
    { class: "file", href: fileUrl(file.file_id, file.file_name || "file"), download: file.file_name || "file" },
    h("span", { class: "file-icon" }, icon("file")),
    h("span", { class: "file-text" }, h("strong", {}, file.file_name || "File"), h("span", {}, size(file.file_size))),
  );
}

function poll(message) {
  const { question, options, is_closed: closed, total_voter_count: total } = message.poll;
  const rows = options.map((option, index) => {
    const share = total ? Math.round((option.voter_count / total) * 100) : 0;
    const bar = h("span", { class: "poll-bar" });
    bar.style.width = `${share}%`;
    return h(
      "button",
      { type: "button", class: "poll-option", "data-vote": index, disabled: closed },
      h("span", {}, option.text),
      h("span", { class: "poll-share" }, `${share} %`),
      bar,
    );
  });
  const state = closed ? "Final results" : `${total || 0} ${total === 1 ? "vote" : "votes"}`;
  return h("div", { class: "poll" }, h("strong", {}, question), rows, h("p", { class: "poll-total" }, state));
}

function media(message) {
  if (message.photo?.length) return photo(message);
  if (message.poll) return poll(message);
  const file = ["document", "video", "audio", "voice", "animation", "sticker"].map((kind) => message[kind]).find(Boolean);
  return file ? fileCard(file) : null;
}

function buttonLabel(button) {
  const leaves = button.url || button.web_app || button.login_url;
  return leaves ? [button.text, icon("link")] : [button.text];
}

function inlineKeyboard(message) {
  const rows = message.reply_markup?.inline_keyboard;
  if (!rows?.length) return null;
  return h(
    "div",
    { class: "inline-keyboard", role: "group", "aria-label": "Buttons" },
    rows.map((row, y) =>
      h(
        "div",
        { class: "inline-row" },
        row.map((button, x) =>
          h("button", { type: "button", "data-button": `${y}:${x}`, "data-label": button.text }, h("span", {}, buttonLabel(button))),
        ),
      ),
    ),
  );
}

function tally(reactions) {
  const found = new Map();
  for (const [who, list] of Object.entries(reactions || {})) {
    for (const { emoji } of list.filter((one) => one.emoji)) {
      const entry = found.get(emoji) || { emoji, count: 0, mine: false };
      entry.count += 1;
      entry.mine ||= Number(who) === state.person;
      found.set(emoji, entry);
    }
  }
  return [...found.values()];
}

function reactions(message) {
  const found = tally(message.reactions);
  if (!found.length) return null;
  return h(
    "div",
    { class: "reactions" },
    found.map(({ emoji, count, mine }) =>
      h(
        "button",
        { type: "button", "data-react": emoji, "aria-pressed": String(mine), "aria-label": `${emoji}, ${count}` },
        count > 1 ? `${emoji} ${count}` : emoji,
      ),
    ),
  );
}

function tool(name, label, picture) {
  return h("button", { type: "button", class: "icon-button", "data-tool": name, "aria-label": label, title: label }, icon(picture));
}

function tools(message, rights) {
  if (message.deleted) return h("div", { class: "tools" }, tool("call", "Show the call", "braces"));
  const edit = isMine(message) && message.text !== undefined;
  return h(
    "div",
    { class: "tools" },
    rights.write ? tool("reply", "Reply", "reply") : null,
    rights.react ? tool("react", "React", "smile") : null,
    rights.write && edit ? tool("edit", "Edit", "pencil") : null,
    tool("call", "Show the call", "braces"),
  );
}

function meta(message) {
  const edited = message.edit_date && !message.deleted ? h("span", { class: "edited" }, "edited") : null;
  const time = h("time", { datetime: new Date(message.date * 1000).toISOString() }, clock(message.date));
  return h("span", { class: "meta" }, edited, time);
}

function body(message) {
  if (message.deleted) return h("p", { class: "text gone" }, "This message was deleted", meta(message));
  const said = message.text ?? message.caption;
  const entities = message.entities || message.caption_entities;
  const text = said === undefined ? null : h("div", { class: "text", dir: "auto" }, rich(said, entities), meta(message));
  const shown = media(message);
  const unknown = text || shown ? null : h("p", { class: "text gone" }, preview(message), meta(message));
  const corner = shown && !text ? h("div", { class: "corner" }, meta(message)) : null;
  return [forwarded(message), quote(message), shown, text, unknown, corner];
}

const SERVICE = {
  pinned_message: (message) => `${nameOf(sender(message))} pinned “${preview(message.pinned_message)}”`,
  new_chat_members: (message) => `${message.new_chat_members.map(nameOf).join(", ")} joined`,
  left_chat_member: (message) => `${nameOf(message.left_chat_member)} left`,
  migrate_to_chat_id: () => "The group became a supergroup",
  migrate_from_chat_id: () => "The group became a supergroup",
};

function service(message) {
  const kind = Object.keys(SERVICE).find((key) => key in message);
  return kind ? SERVICE[kind](message) : null;
}

function follows(message, before) {
  const near = before && message.date - before.date < JOINED_SECONDS;
  return Boolean(near && before.from && before.from.id === message.from?.id && !service(before));
}

/**
 * A list item for one message. `rights` says what the speaker may do here (write, react), and
 * whether names are shown (a group); `before` is the message above it.
 */
export function bubble(message, rights, before) {
  const notice = service(message);
  const identity = { "data-message": message.message_id, "data-from": message.from?.id ?? message.chat.id };
  if (notice && !message.deleted) {
    return h("li", { class: "service", ...identity }, h("button", { type: "button", "data-tool": "call" }, notice));
  }
  const mine = isMine(message);
  const from = sender(message);
  const named = rights.names && !mine;
  const joined = follows(message, before);
  const classes = ["message", mine ? "mine" : "theirs", message.deleted && "deleted", joined && "joined"];
  const name = named && !joined ? h("strong", { class: "name", "data-hue": hue(from.id) }, nameOf(from)) : null;
  const keys = message.deleted ? null : inlineKeyboard(message);
  return h(
    "li",
    { class: classes.filter(Boolean).join(" "), ...identity },
    named ? avatar(from.id, nameOf(from)) : null,
    h(
      "div",
      { class: "stack" },
      h("div", { class: "line" }, h("div", { class: "bubble", tabindex: "0" }, name, body(message)), tools(message, rights)),
      keys,
      message.deleted ? null : reactions(message),
    ),
  );
}
