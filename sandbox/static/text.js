// Telegram's entities as elements. Offsets count UTF-16 units, just as JavaScript's strings do.

import { h } from "./dom.js";

const TAGS = {
  bold: "strong",
  italic: "em",
  underline: "u",
  strikethrough: "s",
  code: "code",
  blockquote: "blockquote",
  expandable_blockquote: "blockquote",
};

const SAFE_LINK = /^(https?|mailto|tel):/i;

function link(url, children) {
  if (!SAFE_LINK.test(url)) return h("span", { class: "dead-link", title: url }, children);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, children);
}

function toggleSpoiler(event) {
  event.stopPropagation();
  const shown = event.currentTarget.classList.toggle("shown");
  event.currentTarget.setAttribute("aria-expanded", String(shown));
}

function spoiler(children) {
  return h(
    "span",
    {
      class: "spoiler",
      role: "button",
      tabindex: "0",
      title: "Show what is hidden",
      "aria-expanded": "false",
      onclick: toggleSpoiler,
      onkeydown: (event) => event.key === "Enter" && toggleSpoiler(event),
    },
    h("span", {}, children),
  );
}

function preformatted(language, children) {
  return h("pre", { "data-language": language || null }, h("code", {}, children));
}

function wrap(entity, text, children) {
  switch (entity.type) {
    case "spoiler":
      return spoiler(children);
    case "pre":
      return preformatted(entity.language, children);
    case "text_link":
      return link(entity.url, children);
    case "url":
      return link(/^[a-z][a-z+.-]*:/i.test(text) ? text : `http://${text}`, children);
    case "email":
      return link(`mailto:${text}`, children);
    case "phone_number":
      return link(`tel:${text.replace(/[^\d+]/g, "")}`, children);
    case "bot_command":
      return h("button", { type: "button", class: "command-link", "data-say": text }, children);
    case "mention":
    case "text_mention":
    case "hashtag":
    case "cashtag":
      return h("span", { class: "mention" }, children);
    default:
      return TAGS[entity.type] ? h(TAGS[entity.type], {}, children) : h("span", {}, children);
  }
}

function span(text, from, to, entities) {
  const nodes = [];
  let at = from;
  let index = 0;
  while (index < entities.length) {
    const entity = entities[index];
    const end = Math.min(entity.offset + entity.length, to);
    const inside = [];
    index += 1;
    while (index < entities.length && entities[index].offset < end) inside.push(entities[index++]);
    if (entity.offset > at) nodes.push(text.slice(at, entity.offset));
    nodes.push(wrap(entity, text.slice(entity.offset, end), span(text, entity.offset, end, inside)));
    at = end;
  }
  if (at < to) nodes.push(text.slice(at, to));
  return nodes;
}

/** `text` with its entities, as a list of nodes and strings. */
export function rich(text, entities = []) {
  const order = [...entities].sort((a, b) => a.offset - b.offset || b.length - a.length);
  return span(text, 0, text.length, order);
}

const KINDS = [
  ["photo", "Photo"],
  ["document", "File"],
  ["poll", "Poll"],
  ["sticker", "Sticker"],
  ["video", "Video"],
  ["audio", "Audio"],
  ["voice", "Voice message"],
  ["location", "Location"],
  ["contact", "Contact"],
  ["pinned_message", "Pinned a message"],
  ["new_chat_members", "Joined the group"],
  ["left_chat_member", "Left the group"],
  ["migrate_to_chat_id", "The group became a supergroup"],
  ["migrate_from_chat_id", "The group became a supergroup"],
];

/** One line that stands for a message in a list. */
export function preview(message) {
  if (!message) return "";
  if (message.deleted) return "Deleted message";
  const said = message.text ?? message.caption;
  if (said) return said.replace(/\s+/g, " ");
  if (message.document?.file_name) return message.document.file_name;
  const kind = KINDS.find(([key]) => key in message);
  return kind ? kind[1] : "Message";
}
