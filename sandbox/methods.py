"""The methods of the Bot API: those that are simulated, and the names of all that exist."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from sandbox import (
    bots,
    chatinfo,
    commands,
    edits,
    joining,
    media,
    messages,
    pins,
    polls,
    queries,
    reactions,
    stars,
)
from sandbox.calls import Call

Method = Callable[[Call], Any]
KNOWN = {
    name.lower(): name for name in files("sandbox").joinpath("methods.txt").read_text().split()
}
SIMULATED: dict[str, Method] = {
    "answerCallbackQuery": queries.answer_callback_query,
    "answerInlineQuery": queries.answer_inline_query,
    "answerPreCheckoutQuery": stars.answer_pre_checkout_query,
    "approveChatJoinRequest": joining.approve_chat_join_request,
    "copyMessage": messages.copy_message,
    "declineChatJoinRequest": joining.decline_chat_join_request,
    "deleteMessage": messages.delete_message,
    "deleteMyCommands": commands.delete_my_commands,
    "deleteWebhook": bots.delete_webhook,
    "editMessageCaption": edits.edit_message_caption,
    "editMessageMedia": media.edit_message_media,
    "editMessageReplyMarkup": edits.edit_message_reply_markup,
    "editMessageText": edits.edit_message_text,
    "forwardMessage": messages.forward_message,
    "getChat": chatinfo.get_chat,
    "getChatAdministrators": chatinfo.get_chat_administrators,
    "getChatMember": chatinfo.get_chat_member,
    "getFile": media.get_file,
    "getMe": bots.get_me,
    "getMyCommands": commands.get_my_commands,
    "getUpdates": bots.get_updates,
    "getWebhookInfo": bots.get_webhook_info,
    "leaveChat": joining.leave_chat,
    "pinChatMessage": pins.pin_chat_message,
    "refundStarPayment": stars.refund_star_payment,
    "restrictChatMember": joining.restrict_chat_member,
    "sendChatAction": messages.send_chat_action,
    "sendDocument": media.send_document,
    "sendInvoice": stars.send_invoice,
    "sendMediaGroup": media.send_media_group,
    "sendMessage": messages.send_message,
    "sendPhoto": media.send_photo,
    "sendPoll": polls.send_poll,
    "setMessageReaction": reactions.set_message_reaction,
    "setMyCommands": commands.set_my_commands,
    "setWebhook": bots.set_webhook,
    "unpinAllChatMessages": pins.unpin_all_chat_messages,
    "unpinChatMessage": pins.unpin_chat_message,
}
BY_NAME = {name.lower(): method for name, method in SIMULATED.items()}
