"""Who acts in the test kit: people who do what people do, and the chats they see."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sandbox.telegram import File
from sandbox.transcript import tell, text_of

if TYPE_CHECKING:
    from bot.kit import ChatKit

T = TypeVar("T")

PICTURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x05\0\0\0\x05\x08\x02\0\0\0"
"""The beginning of a picture, enough for Telegram."""
NEWEST = 20


class View:
    """A chat as it is now, seen from outside: what the bot wrote in it."""

    def __init__(self, kit: ChatKit, chat_id: int) -> None:
        self.kit = kit
        self.id = chat_id

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The bot's messages as the Bot API describes them, oldest first, without deleted ones."""
        return self._messages()

    @property
    def texts(self) -> list[str]:
        """The texts, captions and polls' questions of the bot's messages, oldest first."""
        return [text_of(message) for message in self.messages]

    @property
    def last(self) -> str:
        """The bot's newest text; raises AssertionError when it has written nothing."""
        newest = self._messages(most=NEWEST) or self.messages
        assert newest, "the bot has written nothing here"
        return text_of(newest[-1])

    @property
    def buttons(self) -> list[str]:
        """The labels under the newest message that has buttons."""
        return [button["text"] for _, button in self._buttons()]

    @property
    def transcript(self) -> str:
        """What was said and done in this chat, a line each."""
        names = {user["id"]: user["first_name"] for user in self.kit.telegram.cast()}
        return tell(self.kit.telegram.feed(0), self.kit.bot_id, self.id, names)

    def expect(self, text: str | re.Pattern[str], *, exact: bool = False) -> str:
        """Find a text that the bot wrote, edited or showed as a toast here since the last deed.

        `text` is a part of it, with `exact=True` the whole, or a compiled regular expression that
        is searched. Gives the text that fits; raises AssertionError with the chat's transcript.
        """
        said = self._said()
        for each in said:
            if _fits(text, each, exact=exact):
                return each
        wanted = text if isinstance(text, str) else text.pattern
        found = "\n".join(f"  {each!r}" for each in said) or "  nothing"
        raise AssertionError(
            f"The bot did not say {wanted!r}. Since the last deed it said:\n{found}\n"
            f"The chat:\n\n{self.transcript}\n"
        )

    def make_bot(self, status: str) -> None:
        """Give the bot a standing in this group or channel, such as "administrator" or "left"."""
        self._do(
            lambda: self.kit.telegram.member(self.kit.bot_id, self.id, self.kit.bot_id, status)
        )

    def _messages(self, *, after: int = 0, most: int | None = None) -> list[dict[str, Any]]:
        history = self.kit.telegram.history(self.kit.bot_id, self.id, after=after, most=most)
        return [m for m in history if _by_bot(m) and not m.get("deleted")]

    def _said(self) -> list[str]:
        """What the bot wrote, edited and answered here since the last deed, oldest first."""
        said = []
        for happening in self.kit.telegram.feed(self.kit.marked):
            if happening.get("chat_id") != self.id:
                continue
            if happening["kind"] in ("message", "edit") and _by_bot(happening["message"]):
                said.append(text_of(happening["message"]))
            elif happening["kind"] == "answer" and happening["text"]:
                said.append(happening["text"])
        return said

    def _do(self, deed: Callable[[], T]) -> T:
        """Do something, and let the bot handle what comes of it."""
        self.kit.marked = self.kit.telegram.newest
        result = deed()
        self.kit.step()
        return result

    def _buttons(self) -> list[tuple[int, dict[str, Any]]]:
        return _keys(self._messages(most=NEWEST)) or _keys(self.messages)

    def _holding(self, part: str) -> dict[str, Any]:
        """The newest message, of anybody, with a text, or a field of this name."""
        history = self.kit.telegram.history(self.kit.bot_id, self.id)
        for message in reversed(history):
            if not message.get("deleted") and (part in message or text_of(message) == part):
                return message
        raise AssertionError(f"There is no message with {part!r} here:\n\n{self.transcript}\n")


class Person(View):
    """Somebody who chats with the bot; what they see is their private chat with it.

    `to` is the group or channel that something is done in, instead of that chat.
    """

    def __init__(self, kit: ChatKit, user: dict[str, Any]) -> None:
        super().__init__(kit, user["id"])
        self.user = user
        self.name: str = user["first_name"]

    def send(self, text: str, *, to: View | None = None, reply_to: str = "") -> list[str]:
        """Write a message, wait for the bot, and give what it wrote in that chat since.

        `reply_to` is the text of the message that is answered.
        """
        reply = (to or self)._holding(reply_to)["message_id"] if reply_to else None
        return self._write(to, text=text, reply_to=reply)

    def send_photo(
        self, caption: str = "", *, data: bytes = PICTURE, to: View | None = None
    ) -> list[str]:
        """Send a photo, whose data must be a picture; gives what `send` gives."""
        photo = File("photo.png", data, "image/png")
        return self._write(to, photo=photo, caption=caption or None)

    def send_document(
        self, name: str, data: bytes = b"text", *, caption: str = "", to: View | None = None
    ) -> list[str]:
        """Send a file; gives what `send` gives."""
        document = File(name, data, "application/octet-stream")
        return self._write(to, document=document, caption=caption or None)

    def send_album(self, *photos: bytes, caption: str = "", to: View | None = None) -> list[str]:
        """Send several photos at once, two if none are given; gives what `send` gives."""
        view, (telegram, bot) = to or self, self._place()
        files = [File("photo.png", data, "image/png") for data in photos or [PICTURE] * 2]
        sent = self._do(lambda: telegram.send_album(bot, view.id, self.id, files, caption or None))
        return [text_of(message) for message in view._messages(after=sent[-1]["message_id"])]

    def send_file(self, name: str, data: bytes, *, photo: bool = False, caption: str = "") -> None:
        """Send a document, or a photo."""
        if photo:
            self.send_photo(caption, data=data)
        else:
            self.send_document(name, data, caption=caption)

    def edit(self, text: str, *, to: View | None = None) -> list[str]:
        """Change the text of the own newest message; gives what the bot wrote since."""
        view, (telegram, bot) = to or self, self._place()
        history = telegram.history(bot, view.id)
        mine = [m["message_id"] for m in history if m.get("from", {}).get("id") == self.id]
        assert mine, f"{self.name} has written nothing here"
        newest = history[-1]["message_id"]
        self._do(lambda: telegram.edit(bot, view.id, self.id, mine[-1], text))
        return [text_of(message) for message in view._messages(after=newest)]

    def tap(self, label: str, *, to: View | None = None) -> str:
        """Tap the button with this label under the newest message that has it.

        Gives the toast that was shown, "" for none. Raises AssertionError when there is no such
        button.
        """
        view, (telegram, bot) = to or self, self._place()
        found = [(number, b) for number, b in view._buttons() if b["text"] == label]
        assert found, f"there is no button {label!r}, only {view.buttons}:\n\n{view.transcript}\n"
        number, button = found[-1]
        data = button.get("callback_data")
        assert data is not None, f"the button {label!r} sends nothing to the bot: {button}"
        self._do(lambda: telegram.press(bot, view.id, self.id, number, data))
        answers = [h for h in telegram.feed(self.kit.marked) if h["kind"] == "answer"]
        return answers[-1].get("text", "") if answers else ""

    def pay(self, *, to: View | None = None) -> str:
        """Pay the newest invoice in Stars; gives why the bot refused, "" when it did not."""
        view, (telegram, bot) = to or self, self._place()
        message = view._holding("invoice")
        self._do(lambda: telegram.pay(bot, view.id, self.id, message["message_id"]))
        refused = [h["text"] for h in telegram.feed(self.kit.marked) if h["kind"] == "refusal"]
        return refused[-1] if refused else ""

    def react(self, emoji: str, *, message: str = "", to: View | None = None) -> None:
        """React to the bot's newest message, or to the newest with a text; "" takes it back."""
        view, (telegram, bot) = to or self, self._place()
        on = view._holding(message) if message else view.messages[-1]
        self._do(lambda: telegram.react(bot, view.id, self.id, on["message_id"], emoji or None))

    def vote(self, *options: str, to: View | None = None) -> None:
        """Choose the answers with these texts in the newest poll; none takes the vote back."""
        view, (telegram, bot) = to or self, self._place()
        message = view._holding("poll")
        known = [option["text"] for option in message["poll"]["options"]]
        assert set(options) <= set(known), f"the poll has no {options}, only {known}"
        chosen = [known.index(option) for option in options]
        self._do(lambda: telegram.vote(bot, view.id, self.id, message["message_id"], chosen))

    def ask_inline(self, query: str) -> list[str]:
        """Type "@bot query" into some chat; gives the titles of what the bot offers."""
        telegram, bot = self._place()
        self.kit.asked = self._do(lambda: telegram.inline(bot, self.id, query))
        return [str(result.get("title") or result["id"]) for result in self._offered()]

    def choose(self, title: str, *, to: View | None = None) -> str:
        """Send a result of the last inline query into a chat; gives its text."""
        view, (telegram, bot) = to or self, self._place()
        offered = {str(each.get("title") or each["id"]): each["id"] for each in self._offered()}
        assert title in offered, f"the bot offers no {title!r}, only {list(offered)}"
        asked, result = self.kit.asked, offered[title]
        return text_of(self._do(lambda: telegram.choose(bot, view.id, self.id, asked, result)))

    def join(self, place: View) -> None:
        """Come into a group or a channel."""
        self.become("member", place)

    def ask_to_join(self, place: View) -> None:
        """Ask to be let into a group or a channel."""
        telegram, bot = self._place()
        self._do(lambda: telegram.ask_to_join(bot, place.id, self.id))

    def leave(self, place: View) -> None:
        """Go out of a group or a channel."""
        self.become("left", place)

    def become(self, status: str, place: View) -> None:
        """Have another standing in a group or a channel, such as "administrator" or "kicked"."""
        telegram, bot = self._place()
        self._do(lambda: telegram.member(bot, place.id, self.id, status))

    def block(self, blocked: bool = True) -> None:
        """Block the bot, or let it in again."""
        telegram, bot = self._place()
        self._do(lambda: telegram.block(bot, self.id, blocked))

    def _place(self) -> tuple[Any, int]:
        return self.kit.telegram, self.kit.bot_id

    def _write(self, to: View | None, **content: Any) -> list[str]:
        view, (telegram, bot) = to or self, self._place()
        sent = self._do(lambda: telegram.send(bot, view.id, self.id, **content))
        return [text_of(message) for message in view._messages(after=sent["message_id"])]

    def _offered(self) -> list[dict[str, Any]]:
        answers = [
            happening["results"]
            for happening in self.kit.telegram.feed(0)
            if happening["kind"] == "inline" and happening["query_id"] == self.kit.asked
        ]
        return answers[-1] if answers else []


def _keys(messages: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """The buttons of the newest message that has some, each with the message's number."""
    for message in reversed(messages):
        if rows := message.get("reply_markup", {}).get("inline_keyboard"):
            return [(message["message_id"], button) for row in rows for button in row]
    return []


def _fits(wanted: str | re.Pattern[str], text: str, *, exact: bool) -> bool:
    if isinstance(wanted, re.Pattern):
        return bool(wanted.search(text))
    return wanted == text if exact else wanted in text


def _by_bot(message: dict[str, Any]) -> bool:
    return bool(message.get("from", {}).get("is_bot")) or "from" not in message
