"""The limits: the pace of sends, the windows of 429s, and the order of those who wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise

import pytest

from bot.limits import Limits, Turn, makes_message


class Time:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return False


@pytest.fixture
def clock() -> Time:
    return Time()


def send(limits: Limits, clock: Time, chat: object, method: str = "sendMessage") -> float:
    """Make one call at once after the other; gives its time."""
    turn = limits.turn(method, chat)
    if turn is not None:
        assert turn.wait(clock.wait)
        turn.leave()
    return clock.now


def most(times: list[float], seconds: float) -> int:
    """The largest number of calls within any stretch of so many seconds."""
    return max(sum(start <= time < start + seconds for time in times) for start in times)


def test_over_all_chats_the_rate_is_kept(clock: Time) -> None:
    """No second holds more than the global rate; the first ones go at once."""
    limits = Limits(30, 0, 0, clock=clock)
    times = [send(limits, clock, chat) for chat in range(300)]
    assert times[:30] == [1000.0] * 30
    assert most(times, 1.0) == 30
    assert times[-1] - times[0] < 10


def test_a_chat_has_its_own_pace(clock: Time) -> None:
    """Three messages go at once, then one a second; another chat does not wait."""
    limits = Limits(30, 1, 0, clock=clock)
    times = [send(limits, clock, 7) for _ in range(6)]
    assert [round(time - 1000, 6) for time in times] == [0, 0, 0, 1, 2, 3]
    assert send(limits, clock, 8) == times[-1]


def test_a_group_gets_no_more_than_its_rate_a_minute(clock: Time) -> None:
    """No minute holds more than twenty messages to a group or a channel."""
    for group in (-100200300, "@steady_news"):
        limits = Limits(30, 1, 20, clock=clock)
        times = [send(limits, clock, group) for _ in range(70)]
        assert most(times, 60.0) == 20
        assert most(times, 1.0) <= 3


def test_a_private_chat_has_no_limit_a_minute(clock: Time) -> None:
    """The rate of groups does not hold back people."""
    limits = Limits(0, 0, 20, clock=clock)
    assert [send(limits, clock, 7) for _ in range(50)][-1] == 1000.0


def test_fractions_of_a_rate_work(clock: Time) -> None:
    """Half a message a second is one every two seconds."""
    limits = Limits(0.5, 0, 0, clock=clock)
    assert send(limits, clock, 2) == 1000.0
    assert 1002.0 <= send(limits, clock, 3) < 1002.2


def test_zero_turns_the_limits_off(clock: Time) -> None:
    """Without rates and pauses a call is not even asked to wait."""
    limits = Limits(0, 0, 0, clock=clock)
    assert limits.turn("sendMessage", 7) is None


@pytest.mark.parametrize("method", ["getMe", "answerCallbackQuery", "sendChatAction", "setWebhook"])
def test_other_methods_keep_no_pace(clock: Time, method: str) -> None:
    """Only what makes or changes a message is paced."""
    assert Limits(1, 1, 1, clock=clock).turn(method, 7) is None
    assert not makes_message(method)


@pytest.mark.parametrize(
    "method", ["sendPhoto", "copyMessage", "forwardMessages", "editMessageText"]
)
def test_messages_keep_the_pace(clock: Time, method: str) -> None:
    """What makes or changes a message in a chat is paced; an inline message has no chat."""
    limits = Limits(30, 1, 20, clock=clock)
    assert isinstance(limits.turn(method, 7), Turn)
    assert limits.turn(method) is None


def test_a_pause_of_a_chat_holds_that_chat_alone(clock: Time) -> None:
    """Nothing goes to the chat within the window, whatever the method; others go on."""
    limits = Limits(0, 0, 0, clock=clock)
    limits.pause(7, 12)
    assert send(limits, clock, 8) == 1000.0
    assert send(limits, clock, None, "getMe") == 1000.0
    assert send(limits, clock, "7", "sendChatAction") == 1012.0


def test_a_pause_of_all_holds_everything(clock: Time) -> None:
    """Nothing at all goes within the window, and a shorter pause does not shorten it."""
    limits = Limits(0, 0, 0, clock=clock)
    limits.pause(None, 5)
    limits.pause(None, 2)
    assert send(limits, clock, None, "getUpdates") == 1005.0


def test_after_the_last_pause_the_limits_cost_nothing_again(clock: Time) -> None:
    """When every window is over, calls are not asked to wait any more."""
    limits = Limits(0, 0, 0, clock=clock)
    limits.pause(7, 2)
    limits.pause(8, 4)
    send(limits, clock, 7)
    assert limits.turn("sendMessage", 9) is not None
    clock.now = 1004.0
    send(limits, clock, 7)
    assert limits.turn("sendMessage", 9) is None


def test_after_a_pause_of_all_the_sends_come_evenly(clock: Time) -> None:
    """The end of a global window is no flood: thirty calls take a second."""
    limits = Limits(30, 0, 0, clock=clock)
    limits.pause(None, 5)
    times = [send(limits, clock, chat) for chat in range(31)]
    assert times[0] == 1005.0
    assert times[1] - times[0] > 0.03
    assert 1006.0 <= times[-1] < 1006.1


def test_a_pause_overtakes_those_who_wait_already(clock: Time) -> None:
    """A call that waits for its slot waits for a new one when a window opens meanwhile."""
    limits = Limits(1, 0, 0, clock=clock)
    send(limits, clock, 1)
    turn = limits.stand("sendMessage", 2)

    def wait(seconds: float) -> bool:
        if not clock.waits:
            limits.pause(None, 9)
        return clock.wait(seconds)

    assert turn.wait(wait)
    assert clock.now >= 1009.0


def test_a_refusal_without_a_chat_is_for_all(clock: Time) -> None:
    """A method that names no chat can only have met the limit of the bot."""
    limits = Limits(0, 0, 0, clock=clock)
    assert limits.refused(None, 3) == "all"
    assert send(limits, clock, 7) == 1003.0


def test_a_refusal_with_few_sends_is_for_the_chat(clock: Time) -> None:
    """One chat refused while little was sent is that chat's own limit."""
    limits = Limits(30, 1, 20, clock=clock)
    send(limits, clock, 7)
    assert limits.refused(7, 60) == "chat"
    assert limits.refused(7, 60) == "chat"
    assert send(limits, clock, 8) == 1000.0
    assert send(limits, clock, 7) == 1060.0


def test_a_refusal_at_full_load_is_for_the_chat(clock: Time) -> None:
    """One chat refused while much is sent holds that chat alone."""
    limits = Limits(30, 1, 20, clock=clock)
    for chat in range(28):
        send(limits, clock, chat)
    assert limits.refused(5, 3) == "chat"
    assert send(limits, clock, 90) == 1000.0
    assert send(limits, clock, 5) == 1003.0


def test_three_chats_refused_in_a_row_are_for_all(clock: Time) -> None:
    """When no call got through between them, the limit is the bot's."""
    limits = Limits(0, 0, 0, clock=clock)
    scopes = [limits.refused(1, 3), limits.refused(2, 3), limits.refused(3, 4)]
    assert scopes == ["chat", "chat", "all"]
    assert send(limits, clock, None, "getUpdates") == 1004.0


def test_a_call_that_got_through_shows_that_others_are_not_meant(clock: Time) -> None:
    """Refusals before it and after it are those of single chats."""
    limits = Limits(0, 0, 0, clock=clock)
    for chat in range(10):
        assert limits.refused(chat, 3) == "chat"
        clock.now += 0.01
        send(limits, clock, 90)


def test_windows_that_end_at_other_times_are_not_the_same(clock: Time) -> None:
    """A chat held for a minute is no proof, and does not make the pause of all a minute."""
    limits = Limits(0, 0, 0, clock=clock)
    told = [(1, 3), (2, 60), (3, 3), (3, 3), (4, 3)]
    assert [limits.refused(*each) for each in told] == ["chat"] * 4 + ["all"]
    assert send(limits, clock, 90) == 1003.0
    assert send(limits, clock, 2) == 1060.0


def test_after_a_refusal_one_call_finds_out_whom_it_is_for(clock: Time) -> None:
    """The others wait for what comes of it, so that a window for all is met but twice."""
    limits = Limits(30, 1, 20, clock=clock)
    limits.refused(7, 3)
    first, second = limits.stand("sendMessage", 1), limits.stand("sendMessage", 2)
    clock.now += 0.01
    assert first.wait(clock.wait)

    def wait(seconds: float) -> bool:
        if len(clock.waits) == 2:
            first.leave()
        return clock.wait(seconds)

    assert second.wait(wait)
    assert clock.waits == [0.01] * 3


def test_a_refused_call_finds_out_for_nobody(clock: Time) -> None:
    """When the call that went ahead is refused too, the next one goes ahead."""
    limits = Limits(30, 1, 20, clock=clock)
    limits.refused(7, 3)
    first, second = limits.stand("sendMessage", 1), limits.stand("sendMessage", 2)
    assert first.wait(clock.wait)
    assert limits.refused(1, 3) == "chat"
    assert second.wait(clock.wait)
    assert clock.waits == []


def test_nobody_waits_long_for_a_call_that_finds_out(clock: Time) -> None:
    """A call that hangs holds the others a moment, not until it is given up."""
    limits = Limits(30, 1, 20, clock=clock)
    limits.refused(7, 30)
    assert limits.stand("sendMessage", 1).wait(clock.wait)
    assert 1001.5 <= send(limits, clock, 2) < 1001.6


def test_a_message_counts_from_its_answer(clock: Time) -> None:
    """It may have reached Telegram that late: the next ones keep their distance from there."""
    limits = Limits(0, 1, 2, clock=clock)
    times: list[float] = []
    for _ in range(3):
        turn = limits.stand("sendMessage", -7)
        assert turn.wait(clock.wait)
        times.append(clock.now - 1000)
        clock.now += 0.5
        turn.leave()
    assert times[:2] == [0, 0.5]
    assert 60.5 <= times[2] < 60.6


def test_over_all_chats_a_call_counts_from_its_answer(clock: Time) -> None:
    """A call that was long on its way may have reached Telegram at the end of it."""
    limits = Limits(2, 0, 0, clock=clock)
    turns = [limits.stand("sendMessage", chat) for chat in range(2)]
    for turn in turns:
        assert turn.wait(clock.wait)
    for turn in turns:
        clock.now += 0.3
        turn.leave()
    assert send(limits, clock, 7) == pytest.approx(1001.3)
    assert send(limits, clock, 8) == pytest.approx(1001.6)


def test_calls_that_wait_for_all_chats_go_evenly(clock: Time) -> None:
    """Those that have to wait do not leave together, for then they would arrive late."""
    limits = Limits(10, 0, 0, clock=clock)
    turns = [limits.stand("sendMessage", chat) for chat in range(20)]
    delays: list[float] = []

    def give_up(seconds: float) -> bool:
        delays.append(seconds)
        return True

    for turn in turns:
        turn.wait(give_up)
    assert len(delays) == 10
    assert delays[0] == pytest.approx(1.05)
    assert [b - a for a, b in pairwise(delays)] == pytest.approx([0.105] * 9)


def test_those_who_wake_late_do_not_leave_together(clock: Time) -> None:
    """However late the threads wake, no second gets more than the rate."""
    limits = Limits(10, 0, 0, clock=clock)
    turns = [limits.stand("sendMessage", chat) for chat in range(30)]
    gone: dict[Turn, float] = {}

    def look(turn: Turn) -> bool:
        return not turn.wait(lambda _seconds: True)

    for late in (0.0, 1.9, 2.0, 2.1, 2.9, 3.0, 3.9, 4.0, 5.1):
        clock.now = 1000 + late
        waiting = [turn for turn in turns if turn not in gone and look(turn)]
        gone |= {turn: clock.now for turn in turns if turn not in gone and turn not in waiting}
    assert len(gone) == 30
    assert most(list(gone.values()), 1.0) == 10


def test_a_call_that_does_not_wait_takes_nobody_s_time(clock: Time) -> None:
    """Asking whether a call may go at once, in vain, reserves nothing."""
    limits = Limits(1, 0, 0, clock=clock)
    assert limits.stand("sendMessage", 1).go()
    turn = limits.stand("sendMessage", 2)
    assert not turn.go()
    turn.leave()
    assert send(limits, clock, 3) == pytest.approx(1001.05)


def test_a_message_that_is_repeated_counts_each_time(clock: Time) -> None:
    """Every try may have reached Telegram."""
    limits = Limits(0, 1, 0, clock=clock)
    turn = limits.stand("sendMessage", 7)
    times = []
    for _ in range(5):
        assert turn.wait(clock.wait)
        times.append(clock.now - 1000)
        clock.now += 0.25
    assert times == [0, 0.25, 0.5, 1.25, 2.25]


def test_a_stop_ends_the_wait(clock: Time) -> None:
    """When the wait says so, the call is given up and its place is free."""
    limits = Limits(30, 1, 20, clock=clock)
    limits.pause(7, 60)
    turn = limits.stand("sendMessage", 7)
    assert not turn.wait(lambda _seconds: True)
    turn.leave()
    assert send(limits, clock, 7) == 1060.0


def test_one_call_of_a_chat_at_a_time(clock: Time) -> None:
    """A call waits until the one before it in the chat is over, refusals and all."""
    limits = Limits(30, 1, 20, clock=clock)
    first, second = limits.stand("sendMessage", 7), limits.stand("sendMessage", 7)
    assert first.wait(clock.wait)
    limits.refused(7, 4)

    def wait(seconds: float) -> bool:
        clock.wait(seconds)
        if len(clock.waits) == 3:
            assert first.wait(clock.wait)
            first.leave()
        return False

    assert second.wait(wait)
    assert clock.waits == [4.0, 0.01, 0.01]


def test_those_who_wait_go_in_their_order() -> None:
    """Threads held by one window leave it in the order in which they came."""
    limits = Limits(0, 0, 0)
    limits.pause(7, 0.05)
    order: list[int] = []
    wait: Callable[[float], bool] = threading.Event().wait
    turns = [limits.stand("sendMessage", 7) for _ in range(6)]

    def go(number: int) -> None:
        assert turns[number].wait(wait)
        order.append(number)
        turns[number].leave()

    threads = [threading.Thread(target=go, args=(number,)) for number in reversed(range(6))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert order == [0, 1, 2, 3, 4, 5]


def test_idle_chats_are_forgotten(clock: Time) -> None:
    """Ten thousand chats one after the other do not stay in memory; a paused one does."""
    limits = Limits(0, 1, 20, clock=clock)
    limits.pause("paused", 1_000_000)
    for chat in range(10_000):
        send(limits, clock, chat)
        clock.now += 1
    assert len(limits._chats) < 2_500
    assert "paused" in limits._chats


def test_a_slow_group_is_remembered_as_long_as_it_matters(clock: Time) -> None:
    """One message in two minutes stays one, however many chats are swept meanwhile."""
    limits = Limits(0, 0, 0.5, clock=clock)
    send(limits, clock, -7)
    clock.now += 100
    for chat in range(2000):
        send(limits, clock, chat)
    assert send(limits, clock, -7) >= 1120.0
