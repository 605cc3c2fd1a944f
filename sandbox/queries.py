"""Pressed buttons and inline queries: asked by people, answered by the bot within their time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.account import Account
from sandbox.answers import Json, bad
from sandbox.calls import Call
from sandbox.markup import parse_markup
from sandbox.texts import formatted, with_entities
from sandbox.world import World

CALLBACK_LIFE = 150
INLINE_LIFE = 30
LONGEST_ANSWER = 200
MOST_RESULTS = 50
MOST_QUERIES = 10_000
TOO_OLD = "query is too old and response timeout expired or query ID is invalid"


@dataclass(slots=True)
class Query:
    """A question to the bot; answered once for the person, later answers change nothing."""

    id: str
    chat_id: int
    person_id: int
    asked: float
    text: str = ""
    answered: bool = False
    results: dict[str, Json] = field(default_factory=dict)


def ask(queries: dict[str, Query], query: Query) -> None:
    """Keep a query; the oldest goes when there are too many."""
    queries[query.id] = query
    if len(queries) > MOST_QUERIES:
        del queries[next(iter(queries))]


def open_query(world: World, account: Account, chat_id: int, person_id: int) -> Query:
    """A new callback query of a person."""
    query = Query(world.number(), chat_id, person_id, world.clock())
    ask(account.queries, query)
    return query


def answer_callback_query(call: Call) -> bool:
    """Stop the button's clock for the person and show a toast, an alert or a link."""
    text = call.params.text("text")
    query = _find(call, call.account.queries, "callback_query_id", CALLBACK_LIFE)
    if len(text) > LONGEST_ANSWER:
        raise bad("MESSAGE_TOO_LONG")
    if query.answered:
        return True
    query.answered = True
    call.world.feed.add(
        "answer",
        call.account.id,
        chat_id=query.chat_id,
        query_id=query.id,
        person_id=query.person_id,
        text=text,
        show_alert=call.params.flag("show_alert"),
        url=call.params.text("url"),
    )
    return True


def _find(call: Call, queries: dict[str, Query], name: str, life: float) -> Query:
    query = queries.get(call.params.text(name))
    if query is None or call.world.clock() - query.asked > life:
        raise bad(TOO_OLD)
    return query


def answer_inline_query(call: Call) -> bool:
    """What to choose from below the person's input field."""
    results = _read_results(call, call.params.json("results", "inline query results"))
    query = _find(call, call.account.inline_queries, "inline_query_id", INLINE_LIFE)
    query.results = {result["id"]: result for result in results}
    call.world.feed.add(
        "inline",
        call.account.id,
        chat_id=query.chat_id,
        query_id=query.id,
        person_id=query.person_id,
        results=[result["shown"] for result in results],
    )
    return True


def _read_results(call: Call, value: Any) -> list[Json]:
    if not isinstance(value, list):
        raise bad("expected an Array of inline query results")
    if len(value) > MOST_RESULTS:
        raise bad("RESULTS_TOO_MUCH")
    results = [_read_result(call, item) for item in value]
    if len({result["id"] for result in results}) < len(results):
        raise bad("RESULT_ID_DUPLICATE")
    return results


def _read_result(call: Call, item: Any) -> Json:
    """An article with a text to send; the sandbox knows no other kind of result."""
    if not isinstance(item, dict):
        raise bad("can't parse inline query result: InlineQueryResult must be an Object")
    for name in ("type", "id"):
        if not item.get(name):
            raise bad(f"can't parse inline query result: Can't find field \"{name}\"")
    content = item.get("input_message_content")
    if item["type"] != "article" or not isinstance(content, dict):
        raise bad(f"the sandbox does not simulate inline query results of type {item['type']}")
    if not item.get("title"):
        raise bad("can't parse inline query result: Can't find field \"title\"")
    text, entities = formatted(
        call,
        str(content.get("message_text") or ""),
        str(content.get("parse_mode") or ""),
        content.get("entities"),
    )
    if not text:
        raise bad("message text is empty")
    result = {"id": str(item["id"]), "content": with_entities("text", text, entities)}
    markup = parse_markup(item["reply_markup"]).inline if item.get("reply_markup") else None
    if markup is not None:
        result["reply_markup"] = markup
    return result | {"shown": item}
