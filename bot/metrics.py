"""The metrics: every number the bot counts, under names that dashboards and alerts rely on."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import product
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.process_collector import ProcessCollector

from bot.counts import Counts
from bot.durations import Durations
from bot.families import OTHER, Family, Label
from bot.pile import Labels, Pile
from settings import SettingsError

EVERYWHERE = "0.0.0.0"  # noqa: S104  a container is scraped from outside

SECONDS = (0.0025, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)
"""Upper bounds of the histograms' buckets, in seconds; few, as each handler has them all."""
FROM_RECEIPT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""The same for the whole way of an update; 2.0 is what the objective asks for."""

_METHODS = """
addStickerToSet answerCallbackQuery answerChatJoinRequestQuery answerGuestQuery answerInlineQuery
answerPreCheckoutQuery answerShippingQuery answerWebAppQuery approveChatJoinRequest
approveSuggestedPost banChatMember banChatSenderChat close closeForumTopic closeGeneralForumTopic
convertGiftToStars copyMessage copyMessages createChatInviteLink createChatSubscriptionInviteLink
createForumTopic createInvoiceLink createNewStickerSet declineChatJoinRequest declineSuggestedPost
deleteAllMessageReactions deleteBusinessMessages deleteChatPhoto deleteChatStickerSet
deleteEphemeralMessage deleteForumTopic deleteMessage deleteMessageReaction deleteMessages
deleteMyCommands deleteStickerFromSet deleteStickerSet deleteStory deleteWebhook
editChatInviteLink editChatSubscriptionInviteLink editEphemeralMessageCaption
editEphemeralMessageMedia editEphemeralMessageReplyMarkup editEphemeralMessageText editForumTopic
editGeneralForumTopic editMessageCaption editMessageChecklist editMessageLiveLocation
editMessageMedia editMessageReplyMarkup editMessageText editStory editUserStarSubscription
exportChatInviteLink forwardMessage forwardMessages getAvailableGifts getBusinessAccountGifts
getBusinessAccountStarBalance getBusinessConnection getChat getChatAdministrators getChatGifts
getChatMember getChatMemberCount getChatMenuButton getCustomEmojiStickers getFile
getForumTopicIconStickers getGameHighScores getManagedBotAccessSettings getManagedBotToken getMe
getMyCommands getMyDefaultAdministratorRights getMyDescription getMyName getMyShortDescription
getMyStarBalance getStarTransactions getStickerSet getUpdates getUserChatBoosts getUserGifts
getUserPersonalChatMessages getUserProfileAudios getUserProfilePhotos getWebhookInfo
giftPremiumSubscription hideGeneralForumTopic leaveChat logOut pinChatMessage postStory
promoteChatMember readBusinessMessage refundStarPayment removeBusinessAccountProfilePhoto
removeChatVerification removeMyProfilePhoto removeUserVerification reopenForumTopic
reopenGeneralForumTopic replaceManagedBotToken replaceStickerInSet repostStory restrictChatMember
revokeChatInviteLink savePreparedInlineMessage savePreparedKeyboardButton sendAnimation sendAudio
sendChatAction sendChatJoinRequestWebApp sendChecklist sendContact sendDice sendDocument sendGame
sendGift sendInvoice sendLivePhoto sendLocation sendMediaGroup sendMessage sendMessageDraft
sendPaidMedia sendPhoto sendPoll sendRichMessage sendRichMessageDraft sendSticker sendVenue
sendVideo sendVideoNote sendVoice setBusinessAccountBio setBusinessAccountGiftSettings
setBusinessAccountName setBusinessAccountProfilePhoto setBusinessAccountUsername
setChatAdministratorCustomTitle setChatDescription setChatMemberTag setChatMenuButton
setChatPermissions setChatPhoto setChatStickerSet setChatTitle setCustomEmojiStickerSetThumbnail
setGameScore setManagedBotAccessSettings setMessageReaction setMyCommands
setMyDefaultAdministratorRights setMyDescription setMyName setMyProfilePhoto setMyShortDescription
setPassportDataErrors setStickerEmojiList setStickerKeywords setStickerMaskPosition
setStickerPositionInSet setStickerSetThumbnail setStickerSetTitle setUserEmojiStatus setWebhook
stopMessageLiveLocation stopPoll transferBusinessAccountStars transferGift unbanChatMember
unbanChatSenderChat unhideGeneralForumTopic unpinAllChatMessages unpinAllForumTopicMessages
unpinAllGeneralForumTopicMessages unpinChatMessage upgradeGift uploadStickerFile verifyChat
verifyUser
"""
METHODS = frozenset(_METHODS.split())
"""The methods of Bot API 10.3."""

_KINDS = """
message edited_message channel_post edited_channel_post business_connection business_message
edited_business_message deleted_business_messages guest_message message_reaction
message_reaction_count inline_query chosen_inline_result callback_query shipping_query
pre_checkout_query purchased_paid_media poll poll_answer my_chat_member chat_member
chat_join_request chat_boost removed_chat_boost managed_bot subscription
stopped_message_generation
"""
KINDS = frozenset(_KINDS.split())
"""The kinds of update of Bot API 10.3."""

STATUSES = (200, 400, 401, 403, 404, 409, 413, 421, 429, 500, 502, 503, 504)
CODES = frozenset([*map(str, STATUSES), "never_sent", "ambiguous"])
"""HTTP statuses of Telegram's answers, and the two ways to get no answer."""


class Metrics:
    """All metrics of one process, in a registry of their own unless one is given."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        if registry is None:
            registry = CollectorRegistry()
            ProcessCollector(registry=registry)
        self.registry = registry
        self._handler = Label("none", room=500)
        self._command = Label()
        self._method = Label(*METHODS, "download")
        self._updates()
        self._telegram()
        self._platform()

    def _updates(self) -> None:
        handler, status, error = self._handler, Label(room=20), Label(room=100)
        turns = self._turns = Pile(self._count_turns)
        self.messages = Family(
            self._counter("messages", "Updates handled.", "handler", "status", pile=turns),
            handler,
            status,
            most=200,
        )
        self.commands = Family(
            self._counter("commands", "Commands called.", "command"), self._command
        )
        self.errors = Family(
            self._counter("errors", "Exceptions raised by handlers.", "error_type"), error
        )
        self._response_time = self._histogram(
            "response_time", "Time in the handler.", "handler", turns
        )
        self.response_time = Family(self._response_time, handler, most=60)
        self.updates_received = Family(
            self._counter("updates_received", "Updates taken in.", "kind"),
            Label(*KINDS, "unknown"),
        )
        self.updates_duplicate = self._counter(
            "updates_duplicate", "Updates that came again and were dropped."
        ).labels()
        self.update_time = Durations(
            "bot_update_seconds", "Time from receipt to the end.", FROM_RECEIPT, self.registry
        )
        self.inbox_depth = self._gauge("inbox_depth", "Updates waiting in the inbox.")
        self.inbox_oldest_age = self._gauge(
            "inbox_oldest_age_seconds",
            "Age of the oldest update waiting in the inbox, or that it may have by now.",
        )

    def _telegram(self) -> None:
        method, calls = self._method, Pile(self._count_calls)
        self._calls = calls
        self.api_requests = Family(
            self._counter("api_requests", "Calls to Telegram.", "method", "code", pile=calls),
            method,
            Label(*CODES),
            most=150,
        )
        self.api_duration = Family(
            self._histogram("api_duration", "Time of a call to Telegram.", "method", calls),
            method,
            most=40,
        )
        self.api_429 = Family(
            self._counter("api_429", "Calls refused for coming too fast.", "scope"),
            Label("chat", "all"),
        )
        self.sends_ambiguous = Family(
            self._counter(
                "sends_ambiguous", "Sends without an answer, perhaps carried out.", "method"
            ),
            method,
            most=30,
        )
        self.poll_last_success = self._gauge(
            "poll_last_success_timestamp_seconds",
            "Unix time of the last good getUpdates; of several bots, the oldest.",
        )
        self.poller_leader = self._gauge("poller_leader", "1 while this process polls.")

    def _platform(self) -> None:
        self.active_users = Family(
            self._gauge("active_users", "People active in the period.", "period"),
            Label("day", "week", "month"),
        )
        self.broadcast_recipients = Family(
            self._gauge("broadcast_recipients", "Recipients of broadcasts by state.", "state"),
            Label("waiting", "sending", "sent", "blocked", "failed", "unknown", "cancelled"),
        )
        self.team_messages = Family(
            self._counter("team_messages", "Messages of the team by what came of them.", "state"),
            Label("sent", "failed", "unknown"),
        )
        self.plugin_state = Family(
            self._gauge("plugin_state", "1: on; 0: switched off; -1: suspended.", "plugin"),
            Label(room=500),
        )

        self.messages_oldest_age = self._gauge(
            "messages_oldest_age_seconds",
            "Age of the oldest message of the team to be sent, or that it may have by now.",
        )
        self.disk_free = self._gauge("disk_free_ratio", "Share of the data's disk that is free.")
        self._backup: Gauge | None = None

    def _counter(self, name: str, text: str, *labels: str, pile: Pile | None = None) -> Counts:
        settle = pile.settle if pile else int
        return Counts(f"bot_{name}", text, labels, self.registry, settle)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"bot_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, label: str, pile: Pile) -> Durations:
        name = f"bot_{name}_seconds"
        return Durations(name, text, SECONDS, self.registry, label, settle=pile.settle)

    def backed_up(self, at: float) -> None:
        """Tell the time of the newest backup; without one there is no such metric."""
        if self._backup is None:
            self._backup = self._gauge(
                "backup_last_success_timestamp_seconds", "Unix time of the last backup."
            )
        self._backup.set(at)

    def finished(self, received: Iterable[datetime | None], at: datetime) -> None:
        """Count updates that ended now, by when they were received."""
        counts: dict[datetime, int] = {}
        for since in received:
            if since is not None:
                counts[since] = counts.get(since, 0) + 1
        self.update_time.observe(
            {max(0.0, (at - since).total_seconds()): times for since, times in counts.items()}
        )

    def allow_commands(self, *names: str) -> None:
        """Add command names to the closed set; any other command counts as `other`."""
        self._command.known.update(names)

    def preset(self, handlers: Iterable[str]) -> None:
        """Begin at 0 what alerts ask for: what is first seen at 500 has not increased."""
        names = ("none", OTHER, *handlers)
        for status, handler in product(("error", "suspended", "ok"), names):
            self.messages.preset(handler, status)
        for code in ("409", "200"):
            self.api_requests.preset("getUpdates", code)
        for scope in ("chat", "all"):
            self.api_429.preset(scope)
        self.sends_ambiguous.preset("sendMessage")

    def message(self, handler: str, status: str, seconds: float) -> None:
        """Count one handled update and the seconds its handler took."""
        self._turns.put((handler, status), seconds)

    def _count_turns(self, labels: Labels, durations: Sequence[float]) -> None:
        self.messages(*labels).inc(len(durations))
        self.response_time(labels[0]).observe_all(durations)

    def responses(self) -> tuple[int, float]:
        """How many updates were handled, and the seconds that took, since the process began."""
        return self._response_time.total()

    def command(self, name: str) -> None:
        """Count one call of a command."""
        self.commands(name).inc()

    def error(self, error_type: str) -> None:
        """Count one exception of a handler by the name of its class."""
        self.errors(error_type).inc()

    def received(self, kind: str, count: int = 1) -> None:
        """Count updates of a kind that were taken in."""
        self.updates_received(kind).inc(count)

    def api(self, method: str, code: str, seconds: float) -> None:
        """Count one call to Telegram and the seconds it took."""
        self._calls.put((method, code), seconds)

    def _count_calls(self, labels: Labels, durations: Sequence[float]) -> None:
        self.api_requests(*labels).inc(len(durations))
        self.api_duration(labels[0]).observe_all(durations)

    def serve(self, port: int, host: str = EVERYWHERE) -> WSGIServer:
        """Answer scrapes on a thread of their own; the server given back can be shut down.

        Raises SettingsError when the port cannot be had.
        """
        return serve(self.registry, port, host)


def serve(
    registry: CollectorRegistry,
    port: int,
    host: str = EVERYWHERE,
    *,
    setting: str = "METRICS_PORT",
) -> WSGIServer:
    """Answer scrapes of a registry; `setting` is what to change when the port cannot be had.

    Raises SettingsError then.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            said = f"is taken by another program: stop it, or set {setting} to a free port"
        else:
            said = f"cannot be used ({error.strerror}): set {setting} to another port"
        raise SettingsError(f"port {port} {said}") from None
    return server
