// What the page knows: the cast, who speaks where, and what is unread.

const KEPT = "sandbox";

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) || {};
  } catch {
    return {};
  }
}

export const state = {
  boot: "",
  bots: [],
  people: [],
  methods: [],
  faultKinds: [],
  faults: [],
  chats: [],
  commands: [],
  calls: [],
  messages: new Map(),
  more: false,
  bot: 0,
  person: 0,
  chat: 0,
  replyTo: null,
  editing: null,
  file: null,
  unread: {},
  typing: new Map(),
  sent: [],
};

/** Remember a choice over reloads of the page. */
export function keep(values) {
  localStorage.setItem(KEPT, JSON.stringify({ ...kept(), ...values }));
}

export function recall(name) {
  return kept()[name];
}

export function person(id = state.person) {
  return state.people.find((one) => one.id === id);
}

export function bot(id = state.bot) {
  return state.bots.find((one) => one.id === id);
}

export function chat(id = state.chat) {
  return state.chats.find((one) => one.id === id);
}

export function nameOf(account) {
  if (!account) return "";
  return [account.first_name, account.last_name].filter(Boolean).join(" ") || account.title || "";
}

export function isMine(message) {
  return message.from?.id === state.person && !message.sender_chat;
}

function unreadKey(botId, personId, chatId) {
  return `${botId}:${personId}:${chatId}`;
}

export function unread(botId, personId, chatId) {
  return state.unread[unreadKey(botId, personId, chatId)] || 0;
}

/** All that one person has not read in the chats with one bot. */
export function unreadOf(botId, personId) {
  const start = `${botId}:${personId}:`;
  return Object.entries(state.unread)
    .filter(([key]) => key.startsWith(start))
    .reduce((sum, [, count]) => sum + count, 0);
}

export function addUnread(botId, personId, chatId) {
  state.unread[unreadKey(botId, personId, chatId)] = unread(botId, personId, chatId) + 1;
  keep({ unread: state.unread, boot: state.boot });
}

export function markRead(botId, personId, chatId) {
  delete state.unread[unreadKey(botId, personId, chatId)];
  keep({ unread: state.unread, boot: state.boot });
}

/** Unread marks belong to one run of the sandbox; a new run starts with none. */
export function recallUnread() {
  state.unread = recall("boot") === state.boot ? recall("unread") || {} : {};
}
