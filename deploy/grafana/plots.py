"""What the dashboards show: each panel with its unit, its words and its queries."""

from __future__ import annotations

from deploy.grafana.plot import RATE, Board, plot, quantile

BOT = Board(
    "bot",
    "Bot",
    "Updates from Telegram to the answer.",
    (
        (
            "Now",
            (
                plot(
                    "Oldest update waiting",
                    "s",
                    "The number that says most: how long the oldest update has waited.",
                    age="max(bot_inbox_oldest_age_seconds)",
                ),
                plot(
                    "Inbox",
                    "short",
                    "Updates that were accepted and are not finished.",
                    waiting="sum(bot_inbox_depth)",
                ),
                plot(
                    "Last successful poll",
                    "s",
                    "Seconds since Telegram answered getUpdates; by the webhook none.",
                    ago="time() - max(bot_poll_last_success_timestamp_seconds)",
                ),
                plot(
                    "Leaders",
                    "short",
                    "Processes that poll: one for each bot, or something is wrong.",
                    polling="sum(bot_poller_leader)",
                ),
            ),
        ),
        (
            "Rate, errors, duration",
            (
                plot(
                    "Updates by outcome",
                    "ops",
                    "Handled updates a second.",
                    label__status=f"sum by (status) (rate(bot_messages_total[{RATE}]))",
                ),
                plot(
                    "Updates by handler",
                    "ops",
                    "Which plugin has the work.",
                    label__handler=f"topk(10, sum by (handler) (rate(bot_messages_total[{RATE}])))",
                ),
                plot(
                    "Failures by handler",
                    "ops",
                    "Handlers that raise.",
                    label__handler=f'sum by (handler) (rate(bot_messages_total{{status="error"}}[{RATE}]))',
                ),
                plot(
                    "Errors by kind",
                    "ops",
                    "Exceptions by class.",
                    label__error_type=f"sum by (error_type) (rate(bot_errors_total[{RATE}]))",
                ),
                plot(
                    "Receipt to end",
                    "s",
                    "From being accepted to being finished, waiting included.",
                    median=quantile(0.5, "bot_update_seconds"),
                    p95=quantile(0.95, "bot_update_seconds"),
                    p99=quantile(0.99, "bot_update_seconds"),
                ),
                plot(
                    "Time in handlers",
                    "s",
                    "The 95th percentile by handler.",
                    label__handler=quantile(0.95, "bot_response_time_seconds", "handler"),
                ),
                plot(
                    "Updates by kind",
                    "ops",
                    "What Telegram sends.",
                    label__kind=f"sum by (kind) (rate(bot_updates_received_total[{RATE}]))",
                ),
                plot(
                    "Seen before",
                    "ops",
                    "Updates that Telegram delivered again, dropped.",
                    dropped=f"sum(rate(bot_updates_duplicate_total[{RATE}]))",
                ),
                plot(
                    "Commands",
                    "ops",
                    "Which commands people use.",
                    label__command=f"topk(10, sum by (command) (rate(bot_commands_total[{RATE}])))",
                ),
            ),
        ),
        (
            "Calls to Telegram",
            (
                plot(
                    "Calls by answer",
                    "reqps",
                    "Calls a second by Telegram's status.",
                    label__code=f"sum by (code) (rate(bot_api_requests_total[{RATE}]))",
                ),
                plot(
                    "Calls by method",
                    "reqps",
                    "What is called.",
                    label__method=f"topk(10, sum by (method) (rate(bot_api_requests_total[{RATE}])))",
                ),
                plot(
                    "Time of a call",
                    "s",
                    "The 95th percentile, but for the long poll.",
                    label__method=f'histogram_quantile(0.95, sum by (le, method) (rate(bot_api_duration_seconds_bucket{{method!="getUpdates"}}[{RATE}])))',
                ),
                plot(
                    "Too fast",
                    "reqps",
                    "429 answers: of one chat, or of all.",
                    label__scope=f"sum by (scope) (rate(bot_api_429_total[{RATE}]))",
                ),
                plot(
                    "No answer",
                    "reqps",
                    "Sends that may have arrived or not.",
                    label__method=f"sum by (method) (rate(bot_sends_ambiguous_total[{RATE}]))",
                ),
            ),
        ),
        (
            "People and plugins",
            (
                plot(
                    "Active people",
                    "short",
                    "In the last day, week and month.",
                    label__period="max by (period) (bot_active_users)",
                ),
                plot(
                    "Plugins",
                    "short",
                    "1: on; 0: off; -1: suspended.",
                    label__plugin="min by (plugin) (bot_plugin_state)",
                ),
            ),
        ),
        (
            "Process",
            (
                plot(
                    "Memory",
                    "bytes",
                    "Resident memory.",
                    label__job='process_resident_memory_bytes{job="bot"}',
                ),
                plot(
                    "Processor",
                    "percentunit",
                    "Share of one core.",
                    label__job=f'rate(process_cpu_seconds_total{{job="bot"}}[{RATE}])',
                ),
                plot(
                    "Open files",
                    "short",
                    "File descriptors.",
                    label__job='process_open_fds{job="bot"}',
                ),
            ),
        ),
    ),
)

PANEL = Board(
    "panel",
    "Panel",
    "The web panel and the REST API.",
    (
        (
            "Requests",
            (
                plot(
                    "Requests by status",
                    "reqps",
                    "Answers a second.",
                    label__status=f"sum by (status) (rate(panel_http_request_total[{RATE}]))",
                ),
                plot(
                    "Requests by route",
                    "reqps",
                    "Which pages are used.",
                    label__url_rule=f"topk(10, sum by (url_rule) (rate(panel_http_request_duration_seconds_count[{RATE}])))",
                ),
                plot(
                    "Time of an answer",
                    "s",
                    "Over all routes.",
                    median=quantile(0.5, "panel_http_request_duration_seconds"),
                    p95=quantile(0.95, "panel_http_request_duration_seconds"),
                ),
                plot(
                    "Slowest routes",
                    "s",
                    "The 95th percentile by route.",
                    label__url_rule=f"topk(5, {quantile(0.95, 'panel_http_request_duration_seconds', 'url_rule')})",
                ),
                plot(
                    "Failures",
                    "reqps",
                    "Answers of 500 and above.",
                    label__status=f'sum by (status) (rate(panel_http_request_total{{status=~"5.."}}[{RATE}])) or vector(0)',
                ),
            ),
        ),
    ),
)

DATABASE = Board(
    "database",
    "Database and Redis",
    "What everything stands on.",
    (
        (
            "PostgreSQL",
            (
                plot("PostgreSQL answers", "short", "1 while PostgreSQL answers.", up="min(pg_up)"),
                plot(
                    "Connections",
                    "short",
                    "By state.",
                    label__state="sum by (state) (pg_stat_activity_count)",
                ),
                plot(
                    "Transactions",
                    "ops",
                    "Committed and rolled back a second.",
                    committed=f"sum(rate(pg_stat_database_xact_commit[{RATE}]))",
                    rolled_back=f"sum(rate(pg_stat_database_xact_rollback[{RATE}]))",
                ),
                plot(
                    "Size",
                    "bytes",
                    "Bytes on disk by database.",
                    label__datname="sum by (datname) (pg_database_size_bytes)",
                ),
                plot(
                    "Rows read and written",
                    "ops",
                    "Tuples a second.",
                    fetched=f"sum(rate(pg_stat_database_tup_fetched[{RATE}]))",
                    inserted=f"sum(rate(pg_stat_database_tup_inserted[{RATE}]))",
                    updated=f"sum(rate(pg_stat_database_tup_updated[{RATE}]))",
                ),
                plot(
                    "Deadlocks",
                    "ops",
                    "None is right.",
                    deadlocks=f"sum(rate(pg_stat_database_deadlocks[{RATE}]))",
                ),
            ),
        ),
        (
            "Redis",
            (
                plot("Redis answers", "short", "1 while Redis answers.", up="min(redis_up)"),
                plot(
                    "Commands",
                    "ops",
                    "Commands a second.",
                    commands=f"sum(rate(redis_commands_processed_total[{RATE}]))",
                ),
                plot("Memory", "bytes", "Bytes in use.", used="sum(redis_memory_used_bytes)"),
                plot("Keys", "short", "By database.", label__db="sum by (db) (redis_db_keys)"),
            ),
        ),
    ),
)

BOARDS = (BOT, PANEL, DATABASE)
