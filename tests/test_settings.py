"""The settings: defaults, casts, secrets, and errors that name the key and the remedy."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import pickle
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from environ import read_dotenv
from models import Language
from settings import LANGUAGES, Secret, Settings, SettingsError, _log_format, load

ROOT = Path(__file__).parent.parent
TOKEN = "123456789:" + "AbCdEfGhIj_-0123456789AbCdEfGhIj012"
OTHER = "987654321:" + "ZbCdEfGhIj_-0123456789AbCdEfGhIj012"
KEY = "k" * 32
HIDDEN = "s3cret-swordfish"


class Recording(Mapping[str, str]):
    """An environment that remembers which names were asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def test_the_languages_are_those_of_the_users_table() -> None:
    """DEFAULT_LANGUAGE takes what a user can have."""
    assert set(LANGUAGES) == set(Language)


def refusal(folder: Path, **environ: str) -> str:
    """The sentence that refuses these settings."""
    with pytest.raises(SettingsError) as caught:
        load(environ, folder=folder)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_defaults_are_those_of_the_class(tmp_path: Path) -> None:
    """With nothing set, load gives the defaults, made absolute, and the sandbox's owner."""
    loaded = load({}, folder=tmp_path)
    expected = dataclasses.replace(
        Settings(),
        owner_ids=frozenset({1001}),
        database_url=Secret(f"sqlite:///{tmp_path}/data/steadygram.db"),
        plugins_path=(tmp_path / "plugins",),
        secret_key=loaded.secret_key,
        log_format=loaded.log_format,
    )
    assert loaded == expected


def test_without_a_token_the_sandbox_is_used(tmp_path: Path) -> None:
    """No token: the sandbox's address, its token, its first person as owner."""
    settings = load({"SANDBOX_PORT": "9999"}, folder=tmp_path)
    assert settings.sandbox
    assert settings.development
    assert settings.telegram_url == "http://127.0.0.1:9999"
    assert [token.reveal().partition(":")[0] for token in settings.bots] == ["1000000001"]


def test_the_sandbox_does_not_replace_an_address_that_was_given(tmp_path: Path) -> None:
    """TELEGRAM_API_URL holds in the sandbox too; a slash at its end is dropped."""
    settings = load({"TELEGRAM_API_URL": "http://127.0.0.1:5000/"}, folder=tmp_path)
    assert settings.telegram_url == "http://127.0.0.1:5000"


def test_everything_can_be_set(tmp_path: Path) -> None:
    """Each value is cast to its type."""
    (tmp_path / "mine").mkdir()
    settings = load(
        {
            "TELEGRAM_BOT_TOKEN": f" {TOKEN} , {OTHER} ",
            "DATABASE_URL": "postgres://bot:pw@db:5432/steady?sslmode=require",
            "REDIS_URL": "redis://:pw@cache:6379/1",
            "BROKER_URL": "amqp://guest:guest@queue//",
            "BOT_MODE": "Webhook",
            "WEBHOOK_URL": "https://bot.example.org/hook/",
            "WEBHOOK_SECRET": "w" * 32,
            "THROTTLE_RATE": "0.5",
            "OWNER_IDS": "1, 2,,3",
            "ENVIRONMENT": "production",
            "SECRET_KEY": KEY,
            "SECRET_KEY_FALLBACKS": f"{'o' * 32}, {'p' * 32}",
            "ADMIN_URL": "https://panel.example.org/",
            "LOG_LEVEL": "debug",
            "LOG_FORMAT": "console",
            "PLUGINS_PATH": f"mine:{tmp_path}",
        },
        folder=tmp_path,
    )
    assert [token.reveal() for token in settings.bots] == [TOKEN, OTHER]
    assert settings.database_url.reveal() == "postgresql://bot:pw@db:5432/steady?sslmode=require"
    assert settings.redis_url == Secret("redis://:pw@cache:6379/1")
    assert settings.broker_url == Secret("amqp://guest:guest@queue//")
    assert (settings.mode, settings.webhook_url) == ("webhook", "https://bot.example.org/hook")
    assert settings.throttle_rate == 0.5
    assert settings.owner_ids == {1, 2, 3}
    assert (settings.log_level, settings.log_format) == ("DEBUG", "console")
    assert settings.plugins_path == (tmp_path / "mine", tmp_path)
    assert settings.telegram_url == "https://api.telegram.org"
    assert [key.reveal()[:1] for key in settings.secret_key_fallbacks] == ["o", "p"]
    assert settings.admin_url == "https://panel.example.org"
    assert not settings.development


def test_the_panel_answers_to_its_own_names_in_production(tmp_path: Path) -> None:
    """TRUSTED_HOSTS, or the name in ADMIN_URL and this machine's; in development to any."""
    assert load({"ADMIN_PORT": "8100"}, folder=tmp_path).admin_url == "http://localhost:8100"
    assert load({}, folder=tmp_path).hosts == ()
    environ = {"ENVIRONMENT": "production", "TELEGRAM_BOT_TOKEN": TOKEN, "SECRET_KEY": KEY}
    settings = load({**environ, "ADMIN_URL": "https://p.example.org:8443"}, folder=tmp_path)
    assert settings.hosts == ("p.example.org", "localhost", "127.0.0.1")
    given = load({**environ, "TRUSTED_HOSTS": ".example.org"}, folder=tmp_path)
    assert given.hosts == (".example.org",)


def test_levels_of_modules_follow_the_level_of_all(tmp_path: Path) -> None:
    """LOG_LEVEL takes both, in any case and with blanks."""
    settings = load({"LOG_LEVEL": " warning, bot.client = debug,peewee=ERROR "}, folder=tmp_path)
    assert settings.log_level == "WARNING,bot.client=DEBUG,peewee=ERROR"


def test_where_things_are_told_can_be_set(tmp_path: Path) -> None:
    """A relative folder is meant from the project; the DSN is a secret."""
    environ = {
        "BACKUP_FOLDER": "backups",
        "SENTRY_DSN": f"https://{HIDDEN}@sentry.example.org/1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318/",
    }
    settings = load(environ, folder=tmp_path)
    assert settings.backup_folder == tmp_path / "backups"
    assert settings.otel_endpoint == "http://127.0.0.1:4318"
    assert HIDDEN not in repr(settings)


BAD = [
    ("TELEGRAM_BOT_TOKEN", "123456789"),
    ("TELEGRAM_BOT_TOKEN", f"{TOKEN},12345"),
    ("TELEGRAM_BOT_TOKEN", f"{TOKEN},{TOKEN}"),
    ("TELEGRAM_API_URL", "api.telegram.org"),
    ("TELEGRAM_API_URL", "https://"),
    ("DATABASE_URL", "mysql://host/name"),
    ("DATABASE_URL", "postgresql://host:five/name"),
    ("DATABASE_URL", "postgresql://host"),
    ("DATABASE_URL", "sqlite://"),
    ("DATABASE_URL", "sqlite:///"),
    ("DATABASE_URL", "sqlite:///:memory:"),
    ("DATABASE_URL", "sqlite://data/steadygram.db"),
    ("DATABASE_POOL", "0"),
    ("DATABASE_OVERFLOW", "-1"),
    ("REDIS_URL", "localhost:6379"),
    ("REDIS_URL", "redis://"),
    ("BROKER_URL", "kafka://host"),
    ("BOT_MODE", "pull"),
    ("BOT_MODE", "webhook"),
    ("WEBHOOK_URL", "http://bot.example.org"),
    ("WEBHOOK_SECRET", "short"),
    ("WEBHOOK_PORT", "0"),
    ("BOT_THREADS", "many"),
    ("BOT_THREADS", "0"),
    ("THROTTLE_RATE", "fast"),
    ("THROTTLE_RATE", "nan"),
    ("THROTTLE_RATE", "-1"),
    ("THROTTLE_BURST", "1.5"),
    ("OWNER_IDS", "@alice"),
    ("OWNER_IDS", "1,-2"),
    ("DEFAULT_LANGUAGE", "klingon"),
    ("METRICS_PORT", "65536"),
    ("ADMIN_PORT", "9090"),
    ("ADMIN_HOST", "all of them"),
    ("ADMIN_URL", "panel.example.org"),
    ("ADMIN_METRICS_PORT", "8000"),
    ("ADMIN_WORKERS", "0"),
    ("ADMIN_THREADS", "many"),
    ("TRUSTED_HOSTS", "https://bot.example.org"),
    ("TRUSTED_PROXIES", "-1"),
    ("SANDBOX_PORT", "web"),
    ("SECRET_KEY", "short"),
    ("SECRET_KEY_FALLBACKS", f"{KEY},short"),
    ("ENVIRONMENT", "staging"),
    ("LOG_LEVEL", "LOUD"),
    ("LOG_LEVEL", "INFO,bot.wire"),
    ("LOG_LEVEL", "INFO,bot.wire=LOUD"),
    ("LOG_LEVEL", "INFO,bot wire=DEBUG"),
    ("LOG_LEVEL", "bot.wire=DEBUG"),
    ("LOG_FORMAT", "xml"),
    ("BACKUP_FOLDER", "/dev/null"),
    ("BACKUP_HOUR", "24"),
    ("BACKUP_DAILY", "0"),
    ("BACKUP_WEEKLY", "-1"),
    ("BACKUP_PASSPHRASE", "short"),
    ("EVENTS_DAYS", "a year"),
    ("SENTRY_DSN", "sentry.example.org"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
    ("PLUGINS_PATH", "nowhere"),
    ("SEND_RATE", "inf"),
    ("SEND_RATE_CHAT", "x"),
    ("SEND_RATE_GROUP", "-0.1"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    """Each malformed setting is refused in one sentence that names it."""
    sentence = refusal(tmp_path, **{name: value})
    assert re.search(r"\bWEBHOOK_URL\b" if value == "webhook" else rf"\b{name}\b", sentence)
    assert "\n" not in sentence
    assert re.search(r":|must be", sentence), "the sentence tells how to mend it"


def known_names(folder: Path) -> set[str]:
    """The names that load asks for."""
    environ = Recording()
    load(environ, folder=folder)
    return {name for name in environ.asked if not name.endswith("_FILE")}


def test_every_setting_has_a_bad_value_above(tmp_path: Path) -> None:
    """No setting is read without a check."""
    assert {name for name, _ in BAD} == known_names(tmp_path)


def test_the_example_lists_every_setting_and_no_other(tmp_path: Path) -> None:
    """`.env.example` has each name once, and loads to the defaults."""
    text = (ROOT / ".env.example").read_text()
    listed = re.findall(r"^([A-Z_]+)=", text, re.MULTILINE)
    assert sorted(listed) == sorted(known_names(tmp_path))
    (tmp_path / "plugins").mkdir()
    assert load(read_dotenv(ROOT / ".env.example"), folder=tmp_path) == load({}, folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TELEGRAM_BOT_TOKEN", f"{TOKEN}!"),
        ("TELEGRAM_BOT_TOKEN", HIDDEN),
        ("OWNER_IDS", TOKEN),
        ("DATABASE_URL", f"postgresql://bot:{HIDDEN}@host:five/name"),
        ("DATABASE_URL", f"postgresql://bot:{HIDDEN}@host"),
        ("REDIS_URL", f"redis://:{HIDDEN}@[host"),
        ("BROKER_URL", f"amqp:{HIDDEN}"),
        ("TELEGRAM_API_URL", f"https://user:{HIDDEN}@"),
        ("WEBHOOK_URL", f"https://host/{HIDDEN} x"),
        ("WEBHOOK_SECRET", HIDDEN),
        ("SECRET_KEY", HIDDEN),
        ("BACKUP_PASSPHRASE", HIDDEN[:11]),
        ("SECRET_KEY_FALLBACKS", f"{KEY},{HIDDEN}"),
        ("SENTRY_DSN", f"{HIDDEN}@sentry.example.org/1"),
    ],
)
def test_an_error_never_shows_a_secret(tmp_path: Path, name: str, value: str) -> None:
    """The sentence names the key and not what was in it, as the whole traceback does not."""
    sentence = refusal(tmp_path, **{name: value})
    assert name in sentence
    assert HIDDEN not in sentence
    assert TOKEN not in sentence


def test_an_unfit_address_is_told_every_beginning_that_fits(tmp_path: Path) -> None:
    """Who tries an engine that is not there learns which ones are."""
    sentence = refusal(tmp_path, DATABASE_URL="mysql://host/name")
    assert "sqlite:// or postgresql://" in sentence


def test_a_long_wrong_value_is_shortened(tmp_path: Path) -> None:
    """A pasted page does not fill the terminal."""
    assert len(refusal(tmp_path, LOG_LEVEL="x" * 10_000)) < 200


@pytest.mark.parametrize("name", ["TELEGRAM_BOT_TOKEN", "SECRET_KEY"])
def test_production_requires(tmp_path: Path, name: str) -> None:
    """Production starts neither in the sandbox nor with a made-up key."""
    environ = {"ENVIRONMENT": "production", "TELEGRAM_BOT_TOKEN": TOKEN, "SECRET_KEY": KEY}
    del environ[name]
    assert refusal(tmp_path, **environ).startswith(f"{name} is required")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["WEBHOOK_URL", "WEBHOOK_SECRET"])
def test_webhook_mode_requires(tmp_path: Path, name: str) -> None:
    """Webhook mode needs an address and a secret."""
    environ = {
        "BOT_MODE": "webhook",
        "WEBHOOK_URL": "https://bot.example.org",
        "WEBHOOK_SECRET": "w" * 32,
    }
    del environ[name]
    assert refusal(tmp_path, **environ).startswith(f"{name} is required")


def test_the_secret_key_is_made_once(tmp_path: Path) -> None:
    """In development the key is made on the first run, kept, and readable by its owner alone."""
    first = load({}, folder=tmp_path).secret_key
    kept = tmp_path / "data" / "secret_key"
    assert len(first.reveal()) >= 32
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert load({}, folder=tmp_path).secret_key == first
    assert [path.name for path in kept.parent.iterdir()] == ["secret_key"]


def test_a_secret_key_that_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    """A folder where nothing can be written is said, with the setting that mends it."""
    (tmp_path / "data").write_text("not a folder")
    assert refusal(tmp_path).startswith("SECRET_KEY cannot be kept in ")


def test_an_emptied_secret_key_file_is_an_error(tmp_path: Path) -> None:
    """A kept key that is too short is not signed with."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret_key").write_text("\n")
    assert "SECRET_KEY" in refusal(tmp_path)


def test_a_value_can_come_from_a_file(tmp_path: Path) -> None:
    """NAME_FILE reads the value of NAME, without the space around it."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    settings = load({"TELEGRAM_BOT_TOKEN_FILE": str(tmp_path / "token")}, folder=tmp_path)
    assert [token.reveal() for token in settings.tokens] == [TOKEN]


def test_a_value_and_its_file_together_are_refused(tmp_path: Path) -> None:
    """Two answers to one question are an error."""
    sentence = refusal(tmp_path, REDIS_URL="redis://host", REDIS_URL_FILE="/nowhere")
    assert sentence == "REDIS_URL and REDIS_URL_FILE are both set: keep one of them."


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """A missing or binary file is named with its setting."""
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    sentence = refusal(tmp_path, TELEGRAM_BOT_TOKEN_FILE=str(path))
    assert sentence.startswith(f"TELEGRAM_BOT_TOKEN_FILE cannot be read from {path} (")


def test_the_environment_wins_over_dotenv(tmp_path: Path) -> None:
    """A name in the environment, even an empty one, hides the same name in `.env`."""
    (tmp_path / ".env").write_text(f"TELEGRAM_BOT_TOKEN={TOKEN}\nexport ADMIN_PORT='8100' # mine\n")
    settings = load({"ADMIN_PORT": "8200"}, folder=tmp_path)
    assert (settings.admin_port, settings.sandbox) == (8200, False)
    assert load({"TELEGRAM_BOT_TOKEN": ""}, folder=tmp_path).sandbox
    assert load({"TELEGRAM_BOT_TOKEN_FILE": ""}, folder=tmp_path).admin_port == 8100


@pytest.mark.parametrize("line", ["ADMIN_PORT", "ADMIN_PORT='8100", "= 3"])
def test_a_line_of_dotenv_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    """A malformed line is named by its number and not quoted."""
    path = tmp_path / ".env"
    path.write_text(f"# mine\n\nOWNER_IDS=1\n{line}\n")
    assert refusal(tmp_path) == f"Line 4 of {path} cannot be read: write it as NAME=value."


def test_sqlite_files_are_meant_from_the_folder(tmp_path: Path) -> None:
    """A relative file is made absolute, so that no process misses it; an absolute one stays."""
    relative = load({"DATABASE_URL": "sqlite:///x/y.db"}, folder=tmp_path)
    absolute = load({"DATABASE_URL": "sqlite:////x/y.db"}, folder=tmp_path)
    assert relative.database_url.reveal() == f"sqlite:///{tmp_path}/x/y.db"
    assert absolute.database_url.reveal() == "sqlite:////x/y.db"


def test_a_terminal_gets_the_console_form() -> None:
    """The format of the log follows the stream when it is not set."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    closed = Terminal()
    closed.close()
    assert _log_format(Terminal()) == "console"
    assert [_log_format(stream) for stream in (io.StringIO(), closed, None)] == ["json"] * 3


def test_a_secret_shows_itself_to_reveal_alone() -> None:
    """repr, str, format, JSON, pickle and a dump of the settings have the mask."""
    secret = Secret(HIDDEN)
    settings = Settings(tokens=(secret,))
    shown = [
        repr(secret),
        str(secret),
        f"{secret} {secret:>20} {secret!r}",
        "%s %r" % (secret, secret),  # noqa: UP031  the old way of formatting leaks as little
        json.dumps({"secret": secret}, default=str),
        pickle.dumps(secret).decode("latin-1"),
        pickle.dumps(settings).decode("latin-1"),
        repr(settings),
        str(dataclasses.asdict(settings)),
        str(pickle.loads(pickle.dumps(secret)).reveal()),  # noqa: S301  our own bytes
    ]
    assert not [text for text in shown if HIDDEN in text]
    assert secret.reveal() == HIDDEN
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        json.dumps(secret)


def test_secrets_compare_and_copy_as_values() -> None:
    """Equal texts are equal secrets; a copy is the secret and not its mask."""
    secret = Secret(HIDDEN)
    assert secret == Secret(HIDDEN)
    assert secret != Secret("other")
    assert secret != HIDDEN
    assert len({secret, Secret(HIDDEN)}) == 1
    assert copy.copy(secret).reveal() == copy.deepcopy(secret).reveal() == HIDDEN
    assert not Secret("")


def test_a_database_that_nobody_made_is_known_without_making_it(tmp_path: Path) -> None:
    """Only a file can be lacking; a server is asked by whoever needs it."""
    there, nowhere = (
        Settings(database_url=Secret(f"sqlite:///{tmp_path / name}")) for name in ("a.db", "b.db")
    )
    (tmp_path / "a.db").touch()
    server = Settings(database_url=Secret("postgresql:///x"))
    found = [each.lacks_database for each in (there, nowhere, server)]
    assert found == [False, True, False]
    assert there.database_file == tmp_path / "a.db" and server.database_file is None
