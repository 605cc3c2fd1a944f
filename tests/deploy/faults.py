"""Faults of the bot: for each alert about it, what fires it and what comes close."""

from __future__ import annotations

from tests.deploy.moments import DOWN, LONG, UP, A, B, Fault, around, grows, silent, too_high

POLLED = "bot_poll_last_success_timestamp_seconds"
API, CONFLICTS = "bot_api_requests_total", 'method="getUpdates",code="409"'
ERRORS, NOTES = "bot_messages_total", 'handler="notes.add",status="error"'

FAULTS = [
    Fault(
        "InboxOld",
        "page",
        "the-inbox-grows-old",
        60,
        too_high(
            "bot_inbox_oldest_age_seconds", 30, 120, "The oldest update has waited 31s", near=1
        ),
    ),
    Fault(
        "PollerSilent",
        "page",
        "no-successful-poll",
        10,
        (
            *around(
                190,
                10,
                "No getUpdates has succeeded for 3m 10s",
                {f"{POLLED}{{{A}}}": DOWN, f"{POLLED}{{{B}}}": f"-900{LONG}"},
            ),
            *silent(600, {f"{POLLED}{{{A}}}": grows(10, -119), f"{POLLED}{{{B}}}": DOWN}),
        ),
    ),
    Fault(
        "TwoPollers",
        "page",
        "two-pollers",
        60,
        (
            *around(
                420,
                60,
                "Telegram says that another process polls with the same token",
                {
                    f"{API}{{{CONFLICTS},{A}}}": grows(0.31),
                    f"{API}{{{CONFLICTS},{B}}}": grows(0.31),
                },
            ),
            *silent(
                900,
                {f"{API}{{{CONFLICTS}}}": grows(0.58)},
                {f'{API}{{method="getUpdates",code="200"}}': grows(9)},
                {f'{API}{{method="setWebhook",code="409"}}': grows(9)},
            ),
        ),
    ),
    Fault(
        "NobodyPolls",
        "page",
        "no-successful-poll",
        30,
        (
            *around(60, 30, "No process holds the lease to poll", {"bot_poller_leader": DOWN}),
            *silent(60, {f"bot_poller_leader{{{A}}}": DOWN, f"bot_poller_leader{{{B}}}": UP}),
        ),
    ),
    Fault(
        "PluginFails",
        "ticket",
        "a-plugin-fails",
        60,
        (
            *around(
                1200,
                60,
                "notes.add failed 5.1 times in 15 minutes",
                {f"{ERRORS}{{{NOTES},{A}}}": grows(0.17), f"{ERRORS}{{{NOTES},{B}}}": grows(0.17)},
                handler="notes.add",
            ),
            *silent(
                2400,
                {f"{ERRORS}{{{NOTES}}}": grows(0.32)},
                {f'{ERRORS}{{handler="notes.add",status="ok"}}': grows(9)},
                {f'{ERRORS}{{handler="{n}",status="error"}}': grows(0.2) for n in ("a.b", "c.d")},
            ),
        ),
    ),
    Fault(
        "PluginSuspended",
        "ticket",
        "a-plugin-fails",
        60,
        (
            *around(
                300,
                60,
                "The circuit breaker has suspended notes",
                {
                    f'bot_plugin_state{{plugin="notes",{A}}}': f"-1{LONG}",
                    f'bot_plugin_state{{plugin="notes",{B}}}': UP,
                    f'bot_plugin_state{{plugin="start",{A}}}': UP,
                },
                plugin="notes",
            ),
            *silent(600, {'bot_plugin_state{plugin="notes"}': DOWN}),
        ),
    ),
    Fault(
        "TooFast",
        "ticket",
        "telegram-refuses-calls-as-too-fast",
        60,
        (
            *around(
                1200,
                60,
                "Telegram refuses calls as too fast (chat): 0.11 a second",
                {f'bot_api_429_total{{scope="chat",{each}}}': grows(3.3) for each in (A, B)},
                scope="chat",
            ),
            *silent(
                2400,
                {'bot_api_429_total{scope="chat"}': grows(5.4)},
                {f'bot_api_429_total{{scope="{each}"}}': grows(3.3) for each in ("chat", "all")},
            ),
        ),
    ),
    Fault(
        "SendsAmbiguous",
        "ticket",
        "sends-without-an-answer",
        60,
        (
            *around(
                3660,
                60,
                "10.8 sends in an hour have no answer: some may have arrived twice",
                {
                    f'bot_sends_ambiguous_total{{method="{each}"}}': grows(0.09)
                    for each in ("sendMessage", "sendPhoto")
                },
            ),
            *silent(7200, {'bot_sends_ambiguous_total{method="sendMessage"}': grows(0.16)}),
        ),
    ),
    Fault(
        "NewsQueueOld",
        "ticket",
        "messages-wait",
        60,
        too_high(
            "bot_messages_oldest_age_seconds",
            300,
            300,
            "A message of the team has waited 5m 10s",
            near=10,
        ),
    ),
]
