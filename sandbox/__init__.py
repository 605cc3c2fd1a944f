"""An in-memory Telegram: the Bot API, its people and its chats, with no network behind it."""
