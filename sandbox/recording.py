"""A chat written down as a test: what people did, and what the bot did then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sandbox.answers import Json
from sandbox.cast import CHANNEL_ID, GROUP_ID, PEOPLE
from sandbox.literals import literal
from sandbox.rooms import INSIDE
from sandbox.transcript import SERVICE, label_of, labels_of, text_of

PEOPLE_CALLED = {who.id: (who.username or who.first_name).lower() for who in PEOPLE}
"""The fixtures of the test kit that stand for the people."""
PLACES_CALLED = {GROUP_ID: "group", CHANNEL_ID: "channel"}
FILE = '''"""A chat from the sandbox: what people did, and what the bot answered."""

from bot.testing import {types}


def test_chat({fixtures}) -> None:
    """The chat goes as it went; mend here what the bot should have said."""
{body}
'''


@dataclass(slots=True)
class Step:
    """One deed of a person, and what the bot did until the next one."""

    who: str
    deed: str
    gives: str = ""
    """What the call gives in a test: "texts", "toast", "titles", or nothing."""
    written: dict[int, Json] = field(default_factory=dict)
    edited: dict[int, Json] = field(default_factory=dict)
    toast: str = ""
    titles: list[str] = field(default_factory=list)


def write_test(happenings: Iterable[Json], bot_id: int, chat_id: int) -> str:
    """The chat as a test file for pytest; what the bot did wrong is to be mended in it."""
    mine = (h for h in happenings if h["bot_id"] == bot_id and h.get("chat_id") == chat_id)
    steps = Reader(bot_id, chat_id).read(mine)
    view = PLACES_CALLED.get(chat_id) or PEOPLE_CALLED.get(chat_id, "")
    lines = [line for step in steps for line in told(step, view)]
    words = " ".join(lines).replace("(", " ").replace(".", " ").replace(")", " ").split()
    called = [*PEOPLE_CALLED.values(), *PLACES_CALLED.values()]
    fixtures = [f"{name}: {_type(name)}" for name in called if name in words]
    return FILE.format(
        types=", ".join(sorted({_type(name) for name in called if name in words})) or "Person",
        fixtures=", ".join(fixtures),
        body="\n".join(f"    {line}" for line in lines),
    )


def _type(name: str) -> str:
    return "View" if name in PLACES_CALLED.values() else "Person"


class Reader:
    """Turns happenings into steps."""

    def __init__(self, bot_id: int, chat_id: int) -> None:
        self.bot_id = bot_id
        self.place = PLACES_CALLED.get(chat_id, "")
        self.to = f", to={self.place}" if self.place else ""
        self.steps: list[Step] = []
        self.results: dict[str, str] = {}
        self.readers: dict[str, Callable[[Json], None]] = {
            "message": self._message,
            "edit": self._edit,
            "press": self._press,
            "vote": self._vote,
            "answer": self._answer,
            "reaction": self._reaction,
            "members": self._members,
            "ask": self._ask,
            "inline": self._inline,
        }

    def read(self, happenings: Iterable[Json]) -> list[Step]:
        """The steps, without what the bot did before the first."""
        for happening in happenings:
            if reader := self.readers.get(happening["kind"]):
                reader(happening)
        return self.steps

    def _begin(self, person_id: int, call: str, gives: str = "") -> None:
        who = PEOPLE_CALLED.get(person_id, "")
        deed = f"{who}.{call}" if who else f"# somebody.{call}"
        self.steps.append(Step(who, deed, gives if who else ""))

    def _message(self, happening: Json) -> None:
        message = happening["message"]
        author = message.get("from", {}).get("id") or self._poster(happening)
        if any(name in message for name in SERVICE):
            return
        if author == self.bot_id:
            if self.steps:
                self.steps[-1].written[message["message_id"]] = message
            return
        self._begin(author, *self._writes(message))

    def _poster(self, happening: Json) -> int:
        """A channel does not tell who posts: what the bot was told of, the owner wrote."""
        return PEOPLE[0].id if "update" in happening else self.bot_id

    def _writes(self, message: Json) -> tuple[str, str]:
        text = text_of(message)
        if "via_bot" in message:
            return f"choose({literal(self.results.get(text, text))}{self.to})", ""
        if "photo" in message:
            return f"send_photo({literal(text)}{self.to})", "texts"
        if "document" in message:
            name = literal(message["document"].get("file_name", "file"))
            caption = f", caption={literal(text)}" if text else ""
            return f"send_document({name}{caption}{self.to})", "texts"
        answered = text_of(message.get("reply_to_message", {}))
        reply = f", reply_to={literal(answered)}" if answered else ""
        return f"send({literal(text)}{self.to}{reply})", "texts"

    def _edit(self, happening: Json) -> None:
        message = happening["message"]
        number, author = message["message_id"], message.get("from", {}).get("id", self.bot_id)
        if "voter_id" in message:
            return  # the vote was told before
        if author != self.bot_id:
            self._begin(author, f"edit({literal(text_of(message))}{self.to})", "texts")
        elif self.steps:
            step = self.steps[-1]
            (step.written if number in step.written else step.edited)[number] = message

    def _press(self, happening: Json) -> None:
        label = label_of(happening["message"], happening["data"])
        self._begin(happening["person_id"], f"tap({literal(label)}{self.to})", "toast")

    def _vote(self, happening: Json) -> None:
        options = happening["message"]["poll"]["options"]
        chosen = ", ".join(literal(options[number]["text"]) for number in happening["options"])
        to = self.to if chosen else self.to.removeprefix(", ")
        self._begin(happening["person_id"], f"vote({chosen}{to})")

    def _answer(self, happening: Json) -> None:
        if self.steps:
            self.steps[-1].toast = happening["text"]

    def _reaction(self, happening: Json) -> None:
        emoji = "".join(one.get("emoji", "") for one in happening["reaction"])
        if happening["actor"] != self.bot_id:
            self._begin(happening["actor"], f"react({literal(emoji)}{self.to})")

    def _members(self, happening: Json) -> None:
        old, new, person = happening["old"], happening["status"], happening["person_id"]
        if not self.place:
            self._begin(happening["chat_id"], "block()" if new == "kicked" else "block(False)")
        elif person == self.bot_id:
            self.steps.append(Step("", f"{self.place}.make_bot({literal(new)})"))
        elif (old in INSIDE) == (new in INSIDE):
            self._begin(person, f"become({literal(new)}, {self.place})")
        else:
            self._begin(person, f"{'join' if new in INSIDE else 'leave'}({self.place})")

    def _ask(self, happening: Json) -> None:
        self._begin(happening["person_id"], f"ask_inline({literal(happening['query'])})", "titles")

    def _inline(self, happening: Json) -> None:
        for result in happening["results"]:
            title = str(result.get("title") or result.get("id"))
            text = result.get("input_message_content", {}).get("message_text", "")
            self.results[text] = title
            if self.steps:
                self.steps[-1].titles.append(title)


def told(step: Step, view: str) -> list[str]:
    """The lines of the test for one step."""
    texts = [text_of(message) for message in step.written.values()]
    gives: Mapping[str, object] = {"texts": texts, "toast": step.toast, "titles": step.titles}
    value = gives.get(step.gives)
    lines = [step.deed]
    if value or step.gives in ("texts", "titles"):
        lines = _equal(step.deed, value)
    if texts and step.gives != "texts":
        lines += _equal(f"{view}.texts[-{len(texts)}:]", texts)
    for message in step.edited.values():
        lines += _expected(view, text_of(message))
    shown = [*step.written.values(), *step.edited.values()]
    if shown and (labels := labels_of(shown[-1])):
        lines += _equal(f"{view}.buttons", labels)
    return lines


def _equal(left: str, right: object) -> list[str]:
    return f"assert {left} == {literal(right, taken=len(left) + 15)}".splitlines()


def _expected(view: str, text: str) -> list[str]:
    value = literal(text, taken=len(view) + 30)
    return f"{view}.expect({value}, exact=True)".splitlines()
