"""What `python -m bot check --deploy` refuses: what is unfit for production, a sentence each."""

from __future__ import annotations

import getpass
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from werkzeug.sansio.utils import host_is_trusted

from bot.loader import collect, sources
from bot.opened import opened
from services.migrations import pending
from settings import KEY_LENGTH, MAKE_KEY, SANDBOX_TOKEN, Secret, Settings, SettingsError
from staff import Admin, StaffRole

FEWEST = 10
"""Different letters that a key of chance has."""
WORDS = re.compile("change|default|example|insecure|password|secret|steadygram", re.IGNORECASE)
OVER_A_NETWORK = frozenset(
    "9p afs beegfs ceph cifs fuse.ceph fuse.glusterfs fuse.rclone fuse.s3fs fuse.sshfs gfs2"
    " glusterfs lustre nfs nfs4 ocfs2 smb3 smbfs".split()
)
"""Types of file systems on which the locks and the shared memory of SQLite do not hold."""
MOUNTS = Path("/proc/self/mountinfo")


def read_mounts() -> str:
    """What is mounted where; nothing where the kernel does not say."""
    return MOUNTS.read_text() if MOUNTS.exists() else ""


def owns(path: Path) -> bool:
    """Whether this user could give itself the right to write; on a read-only mount nobody can."""
    try:
        own = path.stat().st_uid == os.geteuid()
        return own and not os.statvfs(path).f_flag & os.ST_RDONLY
    except OSError:  # a link that leads nowhere
        return False


@dataclass(frozen=True, slots=True)
class Site:
    """Where the bot is to run."""

    settings: Settings
    folder: Path = field(default_factory=Path)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    mounts: Callable[[], str] = read_mounts
    writable: Callable[[Path], bool] = partial(os.access, mode=os.W_OK, effective_ids=True)  # noqa: RUF009
    owns: Callable[[Path], bool] = owns


def check(settings: Settings, site: Site | None = None) -> int:
    """Print what must be mended before anybody may reach this; 1 when that is something."""
    found = list(refusals(site or Site(settings)))
    for sentence in found:
        print(sentence, file=sys.stderr)
    if not found:
        print("Nothing speaks against production.")
    return 1 if found else 0


def refusals(site: Site) -> Iterator[str]:
    """Everything that is wrong, a sentence each."""
    for look in (
        *(debug, secrets, webhook, hosts, cookies, dotenv),
        *(mount, plugins, backups, stored),
    ):
        yield from look(site)


def debug(site: Site) -> Iterator[str]:
    """What is for developers alone."""
    if site.settings.development:
        yield (
            "ENVIRONMENT is development, where the panel's cookies also go unencrypted: set"
            " ENVIRONMENT=production."
        )
    if site.settings.log_level.partition(",")[0] == "DEBUG":
        yield "LOG_LEVEL is DEBUG, which writes more than a log should keep: set LOG_LEVEL=INFO."
    if site.environ.get("FLASK_DEBUG", "").lower() not in ("", "0", "false", "no"):
        yield "FLASK_DEBUG is set, which shows visitors what went wrong inside: unset it."


def secrets(site: Site) -> Iterator[str]:
    """Keys and secrets that can be guessed."""
    settings = site.settings
    keys = [("SECRET_KEY", settings.secret_key), ("WEBHOOK_SECRET", settings.webhook_secret)]
    keys += [("SECRET_KEY_FALLBACKS", key) for key in settings.secret_key_fallbacks]
    for name, key in keys:
        if key is not None and (why := weakness(key)):
            yield f"{name} can be guessed, for it {why}: {MAKE_KEY}."
    if SANDBOX_TOKEN in {token.reveal() for token in settings.bots}:
        yield (
            "TELEGRAM_BOT_TOKEN is not set, or is the sandbox's, which everybody knows: get one"
            " from @BotFather."
        )


def weakness(secret: Secret) -> str:
    """Why a key is weak; empty when nothing speaks against it."""
    text = secret.reveal()
    if len(text) < KEY_LENGTH:
        return f"has fewer than {KEY_LENGTH} letters"
    if len(set(text)) < FEWEST:
        return "has few different letters"
    if text in f"{text}{text}"[1:-1]:
        return "repeats its beginning"
    return "holds a word that examples have" if WORDS.search(text) else ""


def webhook(site: Site) -> Iterator[str]:
    """An address at which anybody could pretend to be Telegram."""
    settings = site.settings
    if settings.mode == "webhook" and not settings.webhook_secret:
        yield f"WEBHOOK_SECRET is not set, so anybody could send updates: {MAKE_KEY}."


def hosts(site: Site) -> Iterator[str]:
    """Names under which the panel would answer, or not answer."""
    settings, name = site.settings, urlsplit(site.settings.admin_url).hostname or ""
    if not settings.trusted_hosts:
        yield (
            "TRUSTED_HOSTS is empty: set it to the names by which browsers reach the panel, such"
            f" as {name}."
        )
    elif not host_is_trusted(name, settings.trusted_hosts):
        yield f"TRUSTED_HOSTS lacks {name}, which ADMIN_URL has, so no link would work: add it."


def cookies(site: Site) -> Iterator[str]:
    """Cookies that would pass unencrypted, or that browsers would not send at all."""
    if not site.settings.admin_url.startswith("https:"):
        yield (
            f"ADMIN_URL is {site.settings.admin_url}, and the cookies of the panel are for https"
            " alone: put a proxy with a certificate before it and set its https address."
        )


def dotenv(site: Site) -> Iterator[str]:
    """Secrets that everybody on this machine can read, or change."""
    path = site.folder / ".env"
    if path.exists() and path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
        yield f"{path} can be read by everybody on this machine: run `chmod 600 {path}`."


def mount(site: Site) -> Iterator[str]:
    """A database file that another machine holds."""
    if (path := site.settings.database_file) is None:
        return
    # a look at the path mounts what is mounted on demand, so the list is read after it
    kind = file_system(path.resolve(), site.mounts())
    if kind in OVER_A_NETWORK:
        yield (
            f"The database {path} lies on a network ({kind}), where SQLite loses data: move it to"
            " a disk of this machine, or use PostgreSQL."
        )


def plugins(site: Site) -> Iterator[str]:
    """Code that a fault in the bot could change for good."""
    for folder in site.settings.plugins_path:
        if place := next(changeable(folder, site), None):
            yield (
                f"{place} can be changed by {_user()}, so a fault in the bot could put code into"
                f" {folder}: give {place} to another user, and run this as the bot's own user."
            )


def changeable(folder: Path, site: Site) -> Iterator[Path]:
    """The places by which this user could change what is in a folder, or put another in its place.

    Who may write to a folder may also replace what is in it, unless that is another's and the
    folder is sticky, as /tmp is. Who owns something may allow itself to write.
    """
    within = [folder, *sorted(folder.rglob("*"))]
    yield from (path for path in within if site.writable(path) or site.owns(path))
    paths = [path for each in within for path in (each.absolute(), each.resolve())]
    for parent in sorted({parent for path in paths for parent in path.parents}, reverse=True):
        sticky = parent.stat().st_mode & stat.S_ISVTX
        if site.owns(parent) or (site.writable(parent) and not sticky):
            yield parent


def backups(site: Site) -> Iterator[str]:
    """A folder into which no backup would go."""
    folder = site.settings.backup_folder
    if folder is None:
        return
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not (there.is_dir() and site.writable(there)):
        yield (
            f"BACKUP_FOLDER is {folder}, where {_user()} cannot write, so no backup would be made:"
            f" make it, and give it to {_user()}."
        )


def stored(site: Site) -> Iterator[str]:
    """What the database has not, or has and should not have."""
    if site.settings.lacks_database:
        path = site.settings.database_file
        yield f"There is no database at {path}: run `python -m bot migrate`."
        return
    registry = collect(site.settings.plugins_path)
    try:
        with opened(site.settings) as database, database.connection_context():
            if names := pending(database, sources(registry)):
                yield (
                    f"{len(names)} migrations are pending ({', '.join(names[:3])}): run"
                    " `python -m bot migrate`."
                )
                return
            for name in owners_without_factor():
                yield (
                    f"The owner {name} of the panel has no second factor: sign in as {name} and"
                    " set up an authenticator on the page Account."
                )
    except SettingsError as error:
        yield f"{error} Start it, or mend DATABASE_URL."


def owners_without_factor() -> list[str]:
    """The names of accounts that may do everything by a password alone."""
    rows = Admin.select(Admin.name).where(
        Admin.role == StaffRole.OWNER.value, ~Admin.disabled, Admin.totp_secret.is_null()
    )
    return [row.name for row in rows.order_by(Admin.name)]


def _user() -> str:
    """Who runs this; a container may know its user by number alone."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"the user {os.geteuid()}"


def file_system(path: Path, mounts: str) -> str:
    """The type of the file system that a path lies on, by the kernel's list; empty if unknown.

    Of several at one point, such as an automount and what it mounted, the last is on top.
    """
    found = [("", "")]
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), left.split()[4])
        if path.is_relative_to(point):
            found.append((point, right.split()[0]))
    return max(reversed(found), key=lambda pair: len(pair[0]))[1]
