"""getMe, getUpdates and the webhook methods."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from sandbox.answers import Answer, Json, bad, success
from sandbox.calls import Call

PORTS = (443, 80, 88, 8443)
SECRET = re.compile(r"[A-Za-z0-9_-]*")


def get_me(call: Call) -> Json:
    """The bot itself, with what only it may know."""
    return {
        **call.account.user,
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": True,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": False,
        "allows_users_to_create_topics": False,
        "can_manage_bots": False,
    }


def get_updates(call: Call) -> list[Json]:
    """The waiting updates; blocks for a long poll, so it must not hold the account's lock."""
    params, queue = call.params, call.account.queue
    queue.allow(read_kinds(call))
    return queue.get(
        params.integer("offset"), params.integer("limit", 100), params.integer("timeout")
    )


def read_kinds(call: Call) -> list[str] | None:
    """The allowed_updates parameter, None when it is not given or not a list."""
    value = call.params.json("allowed_updates", "allowed updates")
    return [str(kind) for kind in value] if isinstance(value, list) else None


def set_webhook(call: Call) -> Answer:
    """Remember a webhook, which ends long polls; the sandbox does not deliver to it."""
    params, queue = call.params, call.account.queue
    url = params.text("url")
    if url:
        _check_webhook(url, params.text("secret_token"))
    if params.flag("drop_pending_updates"):
        queue.clear()
    queue.allow(read_kinds(call))
    same = queue.webhook_url == url
    queue.hook(url)
    call.account.webhook = {
        "max_connections": min(max(params.integer("max_connections", 40), 1), 100)
    }
    if not url:
        return success(True, "Webhook is already deleted" if same else "Webhook was deleted")
    return success(True, "Webhook is already set" if same else "Webhook was set")


def delete_webhook(call: Call) -> Answer:
    """Go back to getUpdates."""
    queue = call.account.queue
    if call.params.flag("drop_pending_updates"):
        queue.clear()
    had = bool(queue.webhook_url)
    queue.hook("")
    return success(True, "Webhook was deleted" if had else "Webhook is already deleted")


def get_webhook_info(call: Call) -> Json:
    """The webhook and the number of updates that wait."""
    queue = call.account.queue
    info: Json = {
        "url": queue.webhook_url,
        "has_custom_certificate": False,
        "pending_update_count": len(queue),
    }
    if queue.webhook_url:
        info.update(call.account.webhook)
    if queue.allowed_names:
        info["allowed_updates"] = queue.allowed_names
    return info


def _check_webhook(url: str, secret: str) -> None:
    if len(secret) > 256:
        raise bad("secret token is too long")
    if SECRET.fullmatch(secret) is None:
        raise bad("secret token contains unallowed characters")
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        port = parts.port or 443
    except ValueError:
        raise bad("invalid webhook URL specified") from None
    if parts.scheme != "https":
        raise bad("bad webhook: An HTTPS URL must be provided for webhook")
    if not parts.hostname:
        raise bad("invalid webhook URL specified")
    if port not in PORTS:
        raise bad("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
