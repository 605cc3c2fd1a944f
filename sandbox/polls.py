"""Polls: sendPoll, and the people's votes."""

from __future__ import annotations

from typing import Any

from sandbox.answers import Impossible, Json, bad
from sandbox.calls import Call
from sandbox.delivery import send
from sandbox.entities import format_text
from sandbox.markup import read_markup
from sandbox.messages import check_kind, read_options
from sandbox.params import as_integer
from sandbox.rooms import CHANNEL, Stored
from sandbox.scenes import Scene
from sandbox.spans import units

LONGEST_QUESTION = 300
LONGEST_OPTION = 100
LONGEST_EXPLANATION = 200
MOST_OPTIONS = 12


def send_poll(call: Call) -> Json:
    """A question with answers to choose from."""
    poll = _read_poll(call)
    markup = read_markup(call.params)
    room = call.room()
    check_kind(room, markup.field)
    if room.kind == CHANNEL and not poll["is_anonymous"]:
        raise bad("non-anonymous polls can't be sent to channel chats")
    message = send(call, room, {**read_options(call, room), "poll": poll}, markup)
    call.account.polls[poll["id"]] = {}
    return message


def vote(scene: Scene, message_id: int, options: list[int]) -> None:
    """A person's choice; an empty list takes it back.

    Raises: Impossible when the poll does not take this vote.
    """
    stored = scene.message(message_id)
    poll = stored.json.get("poll")
    if poll is None:
        raise Impossible(f"Message {message_id} has no poll.")
    _check_vote(scene, poll, options)
    votes: dict[int, list[int]] = scene.account.polls[poll["id"]]
    votes.pop(scene.person.id, None)
    if options:
        votes[scene.person.id] = sorted(options)
    stored.json = {**stored.json, "poll": _count(poll, votes)}
    scene.put("poll", stored.json["poll"])
    if not poll["is_anonymous"]:
        scene.put("poll_answer", _answer(scene, poll, sorted(options)))
    voter = scene.person.id
    scene.happen("vote", message=stored.shown(), person_id=voter, options=sorted(options))
    scene.happen("edit", message=shown(scene, stored))


def shown(scene: Scene, stored: Stored) -> Json:
    """The message of a poll for the feed."""
    return stored.shown() | {"voter_id": scene.person.id}


def _check_vote(scene: Scene, poll: Json, options: list[int]) -> None:
    if poll["is_closed"]:
        raise Impossible("The poll is closed.")
    if not all(0 <= option < len(poll["options"]) for option in options):
        raise Impossible("The poll has no such option.")
    if len(options) > 1 and not poll["allows_multiple_answers"]:
        raise Impossible("The poll takes one answer only.")
    voted = scene.person.id in scene.account.polls[poll["id"]]
    if voted and not poll["allows_revoting"]:
        raise Impossible(f"{scene.person.first_name} has voted already.")


def _count(poll: Json, votes: dict[int, list[int]]) -> Json:
    counts = [0] * len(poll["options"])
    for chosen in votes.values():
        for option in chosen:
            counts[option] += 1
    options = [o | {"voter_count": n} for o, n in zip(poll["options"], counts, strict=True)]
    return {**poll, "options": options, "total_voter_count": len(votes)}


def _answer(scene: Scene, poll: Json, options: list[int]) -> Json:
    return {
        "poll_id": poll["id"],
        "user": scene.person.user,
        "option_ids": options,
        "option_persistent_ids": [poll["options"][o]["persistent_id"] for o in options],
    }


def _read_poll(call: Call) -> Json:
    params = call.params
    question = _read_text(params.text("question"), params.text("question_parse_mode"), "question")
    options = _read_options(params.json("options", "options"))
    quiz = params.text("type").lower() == "quiz"
    if params.text("type").lower() not in ("", "regular", "quiz"):
        raise bad("unsupported poll type specified")
    revoting = params.flag("allows_revoting") if "allows_revoting" in params else not quiz
    poll: Json = {
        "id": call.world.number(),
        **question,
        "options": options,
        "total_voter_count": 0,
        "is_closed": params.flag("is_closed"),
        "is_anonymous": params.flag("is_anonymous") if "is_anonymous" in params else True,
        "type": "quiz" if quiz else "regular",
        "allows_multiple_answers": params.flag("allows_multiple_answers"),
        "allows_revoting": revoting,
        "members_only": params.flag("members_only"),
    }
    return poll | _read_quiz(call, len(options)) if quiz else poll


def _read_quiz(call: Call, count: int) -> Json:
    value = call.params.json("correct_option_ids", "correct option identifiers")
    if value is None and "correct_option_id" in call.params:
        value = [call.params.integer("correct_option_id", -1)]
    right = [as_integer(item, -1) for item in value] if isinstance(value, list) else []
    if not right or not all(0 <= option < count for option in right):
        raise bad("wrong correct option ID specified")
    quiz: Json = {"correct_option_ids": right}
    mode = call.params.text("explanation_parse_mode")
    explanation, entities = format_text(call.params.text("explanation"), mode)
    if units(explanation) > LONGEST_EXPLANATION:
        raise bad("explanation is too long")
    if explanation:
        quiz["explanation"] = explanation
        quiz["explanation_entities"] = entities
    return quiz


def _read_text(text: str, mode: str, name: str) -> Json:
    text, entities = format_text(text, mode)
    longest = LONGEST_QUESTION if name == "question" else LONGEST_OPTION
    if not text:
        raise bad(f"poll {'question' if name == 'question' else 'options'} must be non-empty")
    if units(text) > longest:
        what = "question" if name == "question" else "options"
        raise bad(f"poll {what} length must not exceed {longest}")
    return {name: text, f"{name}_entities": entities} if entities else {name: text}


def _read_options(value: Any) -> list[Json]:
    if not isinstance(value, list):
        raise bad("expected an Array of String as options")
    if not value:
        raise bad("poll must have at least 1 option")
    if len(value) > MOST_OPTIONS:
        raise bad(f"poll can't have more than {MOST_OPTIONS} options")
    options = []
    for number, item in enumerate(value):
        given = item if isinstance(item, dict) else {"text": item}
        mode = str(given.get("text_parse_mode") or "")
        text = _read_text(str(given.get("text") or ""), mode, "text")
        options.append({"persistent_id": str(number), **text, "voter_count": 0})
    if len({option["text"] for option in options}) < len(options):
        raise bad("POLL_OPTION_DUPLICATE")
    return options
