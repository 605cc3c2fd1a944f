"""Outages: of processes, their database, cache, exporters and backups; and what comes close."""

from __future__ import annotations

from tests.deploy.moments import DOWN, LONG, UP, A, B, Fault, Moment, around, grows, silent

BACKED_UP = "bot_backup_last_success_timestamp_seconds"


def gone(job: str, other: str, says: str) -> tuple[Moment, ...]:
    """A job of which no process answers, while another one's do."""
    down = {f'up{{job="{job}",instance="a"}}': DOWN, f'up{{job="{other}",instance="b"}}': UP}
    one_is_up = {f'up{{job="{job}",instance="a"}}': DOWN, f'up{{job="{job}",instance="b"}}': UP}
    return (*around(120, 60, says, down), Moment({}, 120, says), *silent(600, one_is_up))


def answers_not(name: str, job: str, held: int, step: int, says: str) -> tuple[Moment, ...]:
    """Its exporter says that it does not answer; not so when the exporter itself is away."""
    down = {f'{name}{{instance="a"}}': DOWN, f'{name}{{instance="b"}}': UP}
    exporter_down = {f'up{{job="{job}"}}': DOWN}
    return *around(held, step, says, down), *silent(held, {name: UP}, exporter_down, {})


def missing(job: str, metric: str) -> tuple[Moment, ...]:
    """A target that answers without a metric, beside another that has it."""
    one, two = f'job="{job}",instance="a"', f'job="{job}",instance="b"'
    has_not = {f"up{{{one}}}": UP, f"up{{{two}}}": UP, f"{metric}{{{two}}}": UP}
    says = f"a answers without what the alerts of {job} ask for"
    return (
        *around(600, 60, says, has_not, job=job, instance="a"),
        *silent(600, {f"up{{{one}}}": UP, f"{metric}{{{one}}}": UP}, {f"up{{{one}}}": DOWN}),
    )


OUTAGES = [
    Fault(
        "BotGone",
        "page",
        "the-bot-is-gone",
        60,
        gone("bot", "panel", "No process of the bot can be scraped"),
    ),
    Fault(
        "PanelGone",
        "ticket",
        "the-panel-is-gone",
        60,
        gone("panel", "bot", "No process of the panel can be scraped"),
    ),
    Fault(
        "DatabaseDown",
        "page",
        "the-database-is-down",
        30,
        answers_not("pg_up", "postgres", 60, 30, "PostgreSQL does not answer"),
    ),
    Fault(
        "RedisDown",
        "ticket",
        "redis-is-down",
        60,
        answers_not(
            "redis_up",
            "redis",
            300,
            60,
            "Redis does not answer: things are slower, nothing is lost",
        ),
    ),
    Fault(
        "ExporterGone",
        "ticket",
        "an-exporter-is-gone",
        60,
        (
            *(
                moment
                for job in ("postgres", "redis")
                for moment in around(
                    600,
                    60,
                    f"The exporter of {job} cannot be scraped: nobody looks whether {job} answers",
                    {
                        f'up{{job="{job}",instance="a"}}': DOWN,
                        f'up{{job="{job}",instance="b"}}': UP,
                    },
                    job=job,
                )
            ),
            *silent(600, {'up{job="bot"}': DOWN}, {'up{job="postgres"}': UP}),
        ),
    ),
    Fault(
        "MetricsMissing",
        "ticket",
        "metrics-are-missing",
        60,
        (
            *missing("bot", "bot_inbox_oldest_age_seconds"),
            *missing("postgres", "pg_up"),
            *missing("redis", "redis_up"),
        ),
    ),
    Fault(
        "DiskFull",
        "page",
        "the-disk-is-nearly-full",
        60,
        (
            *around(
                600,
                60,
                "9.5% of the disk is free",
                {f"bot_disk_free_ratio{{{A}}}": f"0.095{LONG}", f"bot_disk_free_ratio{{{B}}}": UP},
            ),
            *silent(600, {"bot_disk_free_ratio": f"0.105{LONG}"}),
        ),
    ),
    Fault(
        "BackupOld",
        "ticket",
        "the-backup-is-too-old",
        300,
        (
            *around(
                1500,
                300,
                "The last backup is 1d 12h 15m 0s old",
                {f"{BACKED_UP}{{{A}}}": f"-129000{LONG}", f"{BACKED_UP}{{{B}}}": f"-300000{LONG}"},
            ),
            *silent(
                3000,
                {
                    f"{BACKED_UP}{{{A}}}": grows(300, -129000),
                    f"{BACKED_UP}{{{B}}}": f"-300000{LONG}",
                },
            ),
        ),
    ),
    Fault(
        "BackupMissing",
        "ticket",
        "there-is-no-backup",
        600,
        (
            *around(7200, 600, "The bot runs and knows of no backup", {'up{job="bot"}': UP}),
            *silent(
                7200,
                {'up{job="bot"}': UP, BACKED_UP: DOWN},
                {'up{job="bot"}': DOWN, 'up{job="panel"}': UP},
                {},
            ),
        ),
    ),
]
