"""Every setting with its default, read and checked; the one place that looks at the environment."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from environ import Environ, Secret, SettingsError, read_dotenv

__all__ = ["LANGUAGES", "VERSION", "Secret", "Settings", "SettingsError", "load"]

VERSION = "0.1.0"
"""The release, as pyproject.toml has it."""
TELEGRAM_URL = "https://api.telegram.org"
SANDBOX_TOKEN = "1000000001:sandbox_sandbox_sandbox_sandbox_000"  # noqa: S105  opens the sandbox alone
SANDBOX_OWNER = 1001
LANGUAGES = ("en", "ru")
KEY_LENGTH = 32
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MAKE_KEY = 'make one with python -c "import secrets; print(secrets.token_urlsafe(32))"'
OLD_KEYS = f"former secret keys of {KEY_LENGTH} letters or more, separated by commas"
WEBHOOK_SECRET = f"32 to 256 of the letters A-Z a-z 0-9 _ -: {MAKE_KEY}"
LONG_PHRASE = "12 characters or more; keep it elsewhere than the backups"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator may choose. `.env.example` tells the meaning of each."""

    tokens: tuple[Secret, ...] = ()
    api_url: str = TELEGRAM_URL
    database_url: Secret = Secret("sqlite:///data/steadygram.db")  # noqa: RUF009  immutable
    redis_url: Secret | None = None
    broker_url: Secret | None = None
    mode: str = "polling"
    webhook_url: str = ""
    webhook_secret: Secret | None = None
    webhook_port: int = 8443
    threads: int = 32
    throttle_rate: float = 1
    throttle_burst: int = 5
    owner_ids: frozenset[int] = frozenset()
    default_language: str = "en"
    metrics_port: int = 9090
    admin_port: int = 8000
    admin_host: str = "127.0.0.1"
    admin_url: str = "http://localhost:8000"
    admin_metrics_port: int = 9092
    admin_workers: int = 2
    admin_threads: int = 8
    trusted_hosts: tuple[str, ...] = ()
    trusted_proxies: int = 0
    sandbox_port: int = 8081
    secret_key: Secret = Secret("")  # noqa: RUF009  immutable
    secret_key_fallbacks: tuple[Secret, ...] = ()
    environment: str = "development"
    log_level: str = "INFO"
    log_format: str = "json"
    plugins_path: tuple[Path, ...] = (Path("plugins"),)
    database_pool: int = 10
    database_overflow: int = 20
    send_rate: float = 30
    send_rate_chat: float = 1
    send_rate_group: float = 20
    backup_folder: Path | None = None
    backup_hour: int = 3
    backup_daily: int = 7
    backup_weekly: int = 4
    backup_passphrase: Secret | None = None
    events_days: int = 0
    sentry_dsn: Secret | None = None
    otel_endpoint: str = ""

    @property
    def sandbox(self) -> bool:
        """Whether the bot talks to the sandbox, for want of a token."""
        return not self.tokens

    @property
    def bots(self) -> tuple[Secret, ...]:
        """The tokens to run with: the given ones, or the sandbox's own."""
        return self.tokens or (Secret(SANDBOX_TOKEN),)

    @property
    def bot_ids(self) -> list[int]:
        """Telegram's ids of the bots: what stands before the colon of each token."""
        return [int(token.reveal().partition(":")[0]) for token in self.bots]

    @property
    def telegram_url(self) -> str:
        """Base URL of the Bot API to call, without a slash at its end."""
        if self.sandbox and self.api_url == TELEGRAM_URL:
            return f"http://127.0.0.1:{self.sandbox_port}"
        return self.api_url

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names by which the panel may be called; none: by any."""
        if self.trusted_hosts or self.development:
            return self.trusted_hosts
        return (urlsplit(self.admin_url).hostname or "localhost", "localhost", "127.0.0.1")

    @property
    def database_file(self) -> Path | None:
        """The file of the database; None on PostgreSQL."""
        scheme, _, path = self.database_url.reveal().partition(":///")
        return Path(path) if scheme == "sqlite" else None

    @property
    def lacks_database(self) -> bool:
        """Whether the database is a file that nobody has made; opening it would make one."""
        return self.database_file is not None and not self.database_file.is_file()

    @property
    def development(self) -> bool:
        """Whether this is a developer's machine: plugins reload, a secret key is made."""
        return self.environment == "development"


def load(environ: Mapping[str, str] | None = None, *, folder: Path = Path()) -> Settings:
    """Read the environment, then `folder/.env`, then the defaults.

    In development a missing SECRET_KEY is made once and kept in `folder/data/secret_key`.
    Raises SettingsError for the first setting that is missing or malformed.
    """
    folder = folder.resolve()
    env = Environ(os.environ if environ is None else environ, read_dotenv(folder / ".env"))
    base = Settings()
    environment = env.choice("ENVIRONMENT", base.environment, ("development", "production"))
    tokens = _tokens(env, environment)
    settings = Settings(
        tokens=tokens,
        api_url=env.url("TELEGRAM_API_URL", "https", "http") or base.api_url,
        database_url=_database_url(env, folder),
        redis_url=env.secret_url("REDIS_URL", "redis", "rediss", "unix"),
        broker_url=env.secret_url("BROKER_URL", "redis", "rediss", "amqp", "amqps"),
        mode=env.choice("BOT_MODE", base.mode, ("polling", "webhook")),
        webhook_url=env.url("WEBHOOK_URL", "https"),
        webhook_secret=env.secret("WEBHOOK_SECRET", r"[A-Za-z0-9_-]{32,256}", WEBHOOK_SECRET),
        webhook_port=env.port("WEBHOOK_PORT", base.webhook_port),
        threads=env.whole("BOT_THREADS", base.threads, low=1, high=1000),
        throttle_rate=env.rate("THROTTLE_RATE", base.throttle_rate),
        throttle_burst=env.whole("THROTTLE_BURST", base.throttle_burst, low=1),
        owner_ids=env.ids("OWNER_IDS") or frozenset(() if tokens else (SANDBOX_OWNER,)),
        default_language=env.choice("DEFAULT_LANGUAGE", base.default_language, LANGUAGES),
        metrics_port=env.port("METRICS_PORT", base.metrics_port),
        sandbox_port=env.port("SANDBOX_PORT", base.sandbox_port),
        secret_key=_secret_key(env, environment, folder / "data" / "secret_key"),
        secret_key_fallbacks=env.secrets("SECRET_KEY_FALLBACKS", rf".{{{KEY_LENGTH},}}", OLD_KEYS),
        environment=environment,
        plugins_path=env.folders("PLUGINS_PATH", "plugins", inside=folder),
        database_pool=env.whole("DATABASE_POOL", base.database_pool, low=1, high=1000),
        database_overflow=env.whole("DATABASE_OVERFLOW", base.database_overflow, high=1000),
        send_rate=env.rate("SEND_RATE", base.send_rate),
        send_rate_chat=env.rate("SEND_RATE_CHAT", base.send_rate_chat),
        send_rate_group=env.rate("SEND_RATE_GROUP", base.send_rate_group),
        **_panel(env, base),
        **_watch(env, base, folder),
        **_keep_for(env, base),
    )
    _check_together(settings)
    return settings


def _panel(env: Environ, base: Settings) -> dict[str, Any]:
    """What the panel is told: where it listens, where it is found, and whom it believes."""
    port = env.port("ADMIN_PORT", base.admin_port)
    return {
        "admin_url": env.url("ADMIN_URL", "https", "http") or f"http://localhost:{port}",
        "admin_host": env.host("ADMIN_HOST", base.admin_host),
        "admin_port": port,
        "admin_metrics_port": env.port("ADMIN_METRICS_PORT", base.admin_metrics_port),
        "admin_workers": env.whole("ADMIN_WORKERS", base.admin_workers, low=1, high=64),
        "admin_threads": env.whole("ADMIN_THREADS", base.admin_threads, low=1, high=64),
        "trusted_hosts": env.hosts("TRUSTED_HOSTS"),
        "trusted_proxies": env.whole("TRUSTED_PROXIES", base.trusted_proxies, high=10),
    }


def _watch(env: Environ, base: Settings, folder: Path) -> dict[str, Any]:
    """What is told about the running processes, and to whom."""
    return {
        "log_level": env.levels("LOG_LEVEL", base.log_level, LOG_LEVELS),
        "log_format": env.choice("LOG_FORMAT", _log_format(sys.stdout), ("json", "console")),
        "backup_folder": env.folder("BACKUP_FOLDER", inside=folder),
        "sentry_dsn": env.secret_url("SENTRY_DSN", "https", "http"),
        "otel_endpoint": env.url("OTEL_EXPORTER_OTLP_ENDPOINT", "https", "http"),
    }


def _keep_for(env: Environ, base: Settings) -> dict[str, Any]:
    """What is kept, and for how long."""
    return {
        "backup_hour": env.whole("BACKUP_HOUR", base.backup_hour, high=23),
        "backup_daily": env.whole("BACKUP_DAILY", base.backup_daily, low=1, high=1000),
        "backup_weekly": env.whole("BACKUP_WEEKLY", base.backup_weekly, high=1000),
        "backup_passphrase": env.secret("BACKUP_PASSPHRASE", r"(?s).{12,}", LONG_PHRASE),
        "events_days": env.whole("EVENTS_DAYS", base.events_days, high=36_500),
    }


def _tokens(env: Environ, environment: str) -> tuple[Secret, ...]:
    tokens = env.tokens("TELEGRAM_BOT_TOKEN")
    if environment == "production" and not tokens:
        raise SettingsError(
            "TELEGRAM_BOT_TOKEN is required when ENVIRONMENT=production:"
            " get one from @BotFather and set it."
        )
    return tokens


def _database_url(env: Environ, folder: Path) -> Secret:
    """The address of the database; a relative SQLite file is meant from `folder`."""
    given = env.secret_url("DATABASE_URL", "sqlite", "postgresql", "postgres")
    scheme, _, rest = (given or Settings().database_url).reveal().partition("://")
    if scheme != "sqlite":
        if not rest.partition("?")[0].partition("/")[2]:
            raise SettingsError("DATABASE_URL names no database: end it with /name.")
        return Secret(f"postgresql://{rest}")
    path = rest.removeprefix("/")
    if rest == path or path.startswith(":memory:"):
        raise SettingsError("DATABASE_URL must name a file, such as sqlite:///data/steadygram.db.")
    return Secret(f"sqlite:///{folder / path}")


def _secret_key(env: Environ, environment: str, kept: Path) -> Secret:
    """The key that signs sessions: given, or in development made once and kept in a file."""
    given = env.secret(
        "SECRET_KEY", rf"(?s).{{{KEY_LENGTH},}}", f"{KEY_LENGTH} letters or more: {MAKE_KEY}"
    )
    if given:
        return given
    if environment == "production":
        raise SettingsError(f"SECRET_KEY is required when ENVIRONMENT=production: {MAKE_KEY}.")
    try:
        if not kept.exists():
            _keep(secrets.token_urlsafe(32), kept)
        key = kept.read_text().strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SettingsError(f"SECRET_KEY cannot be kept in {kept} ({reason}): set it.") from None
    if len(key) < KEY_LENGTH:
        raise SettingsError(f"{kept} holds no SECRET_KEY of {KEY_LENGTH} letters: delete the file.")
    return Secret(key)


def _keep(text: str, path: Path) -> None:
    """Write a file that only its owner reads; when two processes do so at once, one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".secret_key") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(file.name)


def _log_format(stream: TextIO | None) -> str:
    return "console" if stream is not None and not stream.closed and stream.isatty() else "json"


def _check_together(settings: Settings) -> None:
    """Refuse settings that are fine alone and wrong together."""
    ports = {
        "METRICS_PORT": settings.metrics_port,
        "ADMIN_PORT": settings.admin_port,
        "ADMIN_METRICS_PORT": settings.admin_metrics_port,
    }
    if settings.sandbox:
        ports["SANDBOX_PORT"] = settings.sandbox_port
    if settings.mode == "webhook":
        ports["WEBHOOK_PORT"] = settings.webhook_port
        if not settings.webhook_url:
            raise SettingsError("WEBHOOK_URL is required when BOT_MODE=webhook: set your address.")
        if not settings.webhook_secret:
            raise SettingsError(f"WEBHOOK_SECRET is required when BOT_MODE=webhook: {MAKE_KEY}.")
    names = {port: name for name, port in reversed(ports.items())}
    for name, port in ports.items():
        if names[port] != name:
            raise SettingsError(f"{names[port]} and {name} are both {port}: change one of them.")
