"""A channel: what happens there is counted, who asks to join is greeted."""

from __future__ import annotations

from bot.testing import ChatKit
from models import AnalyticsEvent


def events(kit: ChatKit) -> list[str]:
    kit.step()
    rows = AnalyticsEvent.select().order_by(AnalyticsEvent.id)
    return [row.event_type for row in rows if row.event_type.startswith("channel_")]


def test_posts_and_members_are_counted(kit: ChatKit) -> None:
    """Each post, each who comes and each who goes; a promotion is neither."""
    kit.step()
    kit.telegram.post(kit.bot_id, kit.channel.id, "news")
    for status in ("administrator", "left", "member"):
        kit.telegram.member(kit.bot_id, kit.channel.id, 1004, status)
    assert events(kit) == ["channel_post", "channel_left", "channel_joined"]
    assert kit.channel.texts == ["news"] and kit.dan.texts == []


def test_who_asks_to_join_is_greeted(kit: ChatKit) -> None:
    """By the setting, in their own chat; and let in if the other setting says so."""
    kit.step()
    for approved in (False, True):
        kit.preferences.set("channel", "approve", approved)
        kit.preferences.set("channel", "greeting", "Hello {name}, this is {title}")
        kit.telegram.member(kit.bot_id, kit.channel.id, 1004, "left")
        kit.telegram.ask_to_join(kit.bot_id, kit.channel.id, 1004)
        kit.step()
        assert kit.dan.last == "Hello Dan, this is Steady news"
        assert len(kit.calls("approveChatJoinRequest")) == approved
    assert events(kit)[-1] == "channel_joined" and "channel_asked" in events(kit)
