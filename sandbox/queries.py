"""Pressed buttons and inline queries: asked by people, answered by the bot within their time."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.account import Account
from sandbox.answers import bad
from sandbox.calls import Call
from sandbox.world import World

CALLBACK_LIFE = 150
INLINE_LIFE = 30
LONGEST_ANSWER = 200
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
