"""The link that people share."""

from __future__ import annotations

from bot.testing import ChatKit


def test_a_link_of_ones_own_and_who_came_by_it(kit: ChatKit) -> None:
    """It leads back to /start; those who block the bot came and did not stay."""
    kit.bob.send("/referrals")
    assert kit.bob.last.splitlines() == [
        "Share this link, it is yours:",
        "https://t.me/sandbox_bot?start=ref_1002",
        "",
        "0 people came by it.",
        "0 of them stayed.",
    ]
    kit.dan.send("/start ref_1002")
    kit.vera.send("/start ref_1002")
    kit.vera.block()
    kit.bob.send("/invite")
    assert kit.bob.last.endswith("2 people came by it.\n1 of them stayed.")


def test_the_numbers_agree_with_their_words(kit: ChatKit) -> None:
    """One person in English, none in Russian."""
    kit.bob.send("/start")
    kit.dan.send("/start ref_1002")
    kit.bob.send("/referrals")
    assert "1 person came by it." in kit.bob.last
    kit.vera.send("/referrals")
    assert "По ней пришли 0 человек.\nИз них осталось 0." in kit.vera.last
