"""`check --deploy`: each thing that is unfit for production is refused, and a fit one is not."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest

from bot.deploying import Site, check, file_system, plugins, refusals, weakness
from bot.loader import collect, sources
from database import Database, bind, open_database
from services.migrations import migrate
from settings import SANDBOX_TOKEN, Secret, Settings
from staff import Admin, StaffRole

NOBODY = 65534
KEY = Secret("Vq3-8sYtW0pLxZr_5kHdN1mBcJfGaEuT7iO9oQ2yXw4")
TOKEN = Secret("123456789:" + "AbCdEfGhIj_-0123456789AbCdEfGhIj012")
DISK = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"

SHELF = '''"""Keep books."""
import peewee
from bot import Plugin

plugin = Plugin(__name__)


class Book(plugin.Model):
    """A book."""

    title = peewee.TextField()
'''


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the core's tables, to be copied."""
    path = tmp_path_factory.mktemp("tables") / "test.db"
    database = open_database(f"sqlite:///{path}")
    migrate(database, sources(collect([])))
    database.close_all()
    return path


@pytest.fixture
def site(tables: Path, tmp_path: Path) -> Site:
    """A place that is fit."""
    (tmp_path / "plugins").mkdir()
    shutil.copyfile(tables, tmp_path / "test.db")
    (tmp_path / ".env").touch(mode=0o600)
    settings = Settings(
        tokens=(TOKEN,),
        environment="production",
        secret_key=KEY,
        admin_url="https://panel.example.org",
        trusted_hosts=("panel.example.org",),
        database_url=Secret(f"sqlite:///{tmp_path / 'test.db'}"),
        plugins_path=(tmp_path / "plugins",),
    )
    place = Site(settings, folder=tmp_path, environ={}, mounts=lambda: DISK)
    return replace(place, writable=lambda path: False, owns=lambda path: False)


@pytest.fixture
def database(site: Site) -> Iterator[Database]:
    """Its database, open."""
    opened = bind(open_database(site.settings.database_url.reveal()))
    with opened.connection_context():
        yield opened
    opened.close_all()


def refused(site: Site, **settings: object) -> str:
    """The one sentence that refuses the place with other settings."""
    changed = replace(site, settings=replace(site.settings, **settings))  # type: ignore[arg-type]
    (sentence,) = refusals(changed)
    assert ": " in sentence and sentence.endswith("."), "it says how to mend it"
    return sentence


def test_a_fit_place_is_let_through(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to say, exit code 0."""
    assert check(site.settings, site) == 0
    assert capsys.readouterr().out == "Nothing speaks against production.\n"


def test_what_is_found_is_told(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, and exit code 1."""
    wrong = replace(site, settings=replace(site.settings, log_level="DEBUG", trusted_hosts=()))
    assert check(wrong.settings, wrong) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_debug_is_refused(site: Site) -> None:
    """Development, a log of everything, and Flask's own switch."""
    assert "ENVIRONMENT" in refused(site, environment="development")
    assert "LOG_LEVEL" in refused(site, log_level="DEBUG,peewee=INFO")
    assert "FLASK_DEBUG" in refused(replace(site, environ={"FLASK_DEBUG": "1"}))
    assert list(refusals(replace(site, environ={"FLASK_DEBUG": "0"}))) == []
    modules = replace(site.settings, log_level="INFO,bot.meter=DEBUG")
    assert list(refusals(replace(site, settings=modules))) == []


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "fewer"),
        ("Vq3-8sYtW0pLxZr", "fewer"),
        ("k" * 40, "few different"),
        ("abcdefgh" * 5, "few different"),
        ("0123456789abcdef" * 2, "repeats"),
        ("please-change-me-0123456789-abcdefgh", "word"),
        ("my-PassWord-is-longer-than-your-own!", "word"),
    ],
)
def test_a_weak_key_is_refused(site: Site, key: str, why: str) -> None:
    """Short, of few letters, one part over and over, or out of an example; it is never shown."""
    sentence = refused(site, secret_key=Secret(key))
    assert sentence.startswith("SECRET_KEY can be guessed") and why in sentence
    assert not key or key not in sentence
    assert "FALLBACKS" in refused(site, secret_key_fallbacks=(Secret(key),))


def test_keys_of_chance_are_not_weak() -> None:
    """Whatever `make secrets` and the advice of the sentence make passes."""
    made = [make(32) for make in (secrets.token_urlsafe, secrets.token_hex) for _ in range(500)]
    found = [why for key in made if (why := weakness(Secret(key)))]
    assert found == []


def test_a_token_that_everybody_knows_is_refused(site: Site) -> None:
    """Without one the sandbox's is used; it is refused when it is given too, beside others."""
    assert "TELEGRAM_BOT_TOKEN" in refused(site, tokens=())
    assert "TELEGRAM_BOT_TOKEN" in refused(site, tokens=(TOKEN, Secret(SANDBOX_TOKEN)))


def test_a_webhook_without_a_secret_is_refused(site: Site) -> None:
    """Anybody could pretend to be Telegram; polling needs none."""
    hook = {"mode": "webhook", "webhook_url": "https://bot.example.org"}
    assert "WEBHOOK_SECRET" in refused(site, **hook)
    assert "WEBHOOK_SECRET" in refused(site, **hook, webhook_secret=Secret("x" * 40))
    fit = replace(site.settings, **hook, webhook_secret=KEY)  # type: ignore[arg-type]
    assert list(refusals(replace(site, settings=fit))) == []


def test_no_trusted_hosts_are_refused(site: Site) -> None:
    """And ones that leave the panel's own name out; a dot stands for all under a name."""
    assert "TRUSTED_HOSTS is empty" in refused(site, trusted_hosts=())
    assert "TRUSTED_HOSTS lacks panel.example.org" in refused(site, trusted_hosts=("localhost",))
    below = replace(site.settings, trusted_hosts=(".example.org",))
    assert list(refusals(replace(site, settings=below))) == []


def test_insecure_cookies_are_refused(site: Site) -> None:
    """A panel without https: browsers would not send its cookies, or anybody could read them."""
    assert "ADMIN_URL" in refused(site, admin_url="http://panel.example.org")


def test_an_owner_without_a_second_factor_is_refused(site: Site, database: Database) -> None:
    """By name; a viewer, a disabled account and an owner with one are let through."""
    Admin.create(name="viewer", role=StaffRole.VIEWER)
    Admin.create(name="gone", role=StaffRole.OWNER, disabled=True)
    Admin.create(name="careful", role=StaffRole.OWNER, totp_secret="sealed")
    assert list(refusals(site)) == []
    bind(database)
    Admin.create(name="olga", role=StaffRole.OWNER)
    assert "olga" in refused(site)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602])
def test_a_world_readable_env_file_is_refused(site: Site, mode: int) -> None:
    """Or one that everybody may write; a group may read it."""
    (site.folder / ".env").chmod(mode)
    assert "chmod 600" in refused(site)
    (site.folder / ".env").chmod(0o640)
    assert list(refusals(site)) == []


KINDS = (
    "9p afs beegfs ceph cifs fuse.ceph fuse.glusterfs fuse.rclone fuse.s3fs fuse.sshfs gfs2"
    " glusterfs lustre nfs nfs4 ocfs2 smb3 smbfs"
)


@pytest.mark.parametrize("kind", KINDS.split())
def test_sqlite_on_a_network_is_refused(site: Site, kind: str) -> None:
    """By the innermost mount that the file lies on."""
    far = f"40 27 0:50 / {site.folder.resolve()} rw shared:1 - {kind} server:/x rw\n"
    assert f"({kind})" in refused(replace(site, mounts=lambda: DISK + far))
    near = f"41 40 0:51 / {site.folder.resolve().parent} rw - {kind} server:/x rw\n"
    inner = f"42 41 0:52 / {site.folder.resolve()} rw - xfs /dev/vdb rw\n"
    assert list(refusals(replace(site, mounts=lambda: DISK + near + inner))) == []


def test_of_two_mounts_at_one_point_the_last_counts(site: Site) -> None:
    """An automount stays below what it mounted; a disk may hide what was there before."""
    point = site.folder.resolve()
    auto = f"40 27 0:50 / {point} rw - autofs systemd-1 rw\n"
    far = f"41 40 0:51 / {point} rw - nfs4 server:/x rw\n"
    disk = f"42 41 0:52 / {point} rw - ext4 /dev/vdb rw\n"
    assert "nfs4" in refused(replace(site, mounts=lambda: DISK + auto + far))
    assert list(refusals(replace(site, mounts=lambda: DISK + far + disk))) == []


def test_what_is_mounted_on_demand_is_mounted_by_the_look(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is read once the path was looked at, for an automount is empty before."""
    point, mounted, resolve = site.folder.resolve(), [DISK], Path.resolve

    def look(path: Path) -> Path:
        mounted.append(f"41 40 0:51 / {point} rw - nfs4 server:/x rw\n")
        return resolve(path)

    monkeypatch.setattr(Path, "resolve", look)
    assert "nfs4" in refused(replace(site, mounts=lambda: "".join(mounted)))


def test_a_mount_with_a_space_is_read() -> None:
    """The kernel writes it in octal."""
    mounts = DISK + "40 27 0:50 / /my\\040data rw - nfs server:/x rw\n"
    assert file_system(Path("/my data/a.db"), mounts) == "nfs"
    assert file_system(Path("/mydata/a.db"), mounts) == "ext4"
    assert file_system(Path("/mydata/a.db"), "") == ""


def test_pending_migrations_are_refused(site: Site) -> None:
    """A database that is not there, and one that lacks some."""
    (site.folder / "plugins" / "shelf.py").write_text(SHELF)
    assert "shelf/001_initial" in refused(site)
    (site.folder / "test.db").unlink()
    assert "python -m bot migrate" in refused(site)
    assert not (site.folder / "test.db").exists(), "a look makes nothing"


def test_a_database_that_is_away_is_refused(site: Site) -> None:
    """In one sentence, without its password."""
    url = "postgresql://bot:swordfish@127.0.0.1:1/none"
    sentence = refused(site, database_url=Secret(url))
    assert "DATABASE_URL" in sentence and "swordfish" not in sentence


def test_plugins_that_the_bot_may_write_are_refused(site: Site) -> None:
    """The folder, a file at any depth in it, or a folder above: by its rights, or as its owner."""
    folder = site.folder / "plugins"
    deep = folder / "shop" / "views" / "cart.py"
    deep.parent.mkdir(parents=True)
    deep.touch()
    for place in (folder, deep, deep.parent, *folder.parents):
        if not place.stat().st_mode & stat.S_ISVTX:
            assert f"{place} can" in refused(replace(site, writable=place.__eq__))
        assert f"{place} can" in refused(replace(site, owns=place.__eq__))


def test_where_a_link_leads_is_looked_at(site: Site, tmp_path: Path) -> None:
    """The folder above the link, the one above its end; a link to nowhere is no fault."""
    end, start = tmp_path / "far" / "plugins", tmp_path / "near"
    end.mkdir(parents=True)
    start.mkdir()
    (start / "plugins").symlink_to(end)
    (end / "gone.py").symlink_to(tmp_path / "nowhere")
    linked = replace(site, settings=replace(site.settings, plugins_path=(start / "plugins",)))
    assert list(refusals(linked)) == []
    for place in (start, end.parent):
        assert f"{place} can" in refused(replace(linked, writable=place.__eq__))


@contextmanager
def service() -> Iterator[int]:
    """Be another user for a while, as only root can; give its number."""
    if os.geteuid():
        pytest.skip("only root can be another user")
    os.seteuid(NOBODY)
    try:
        yield NOBODY
    finally:
        os.seteuid(0)


def mine(path: Path, mode: int) -> None:
    """Give a path to the service, with these rights."""
    shutil.chown(path, NOBODY)
    path.chmod(mode)


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (lambda folder: None, ""),
        (lambda folder: mine(folder, 0o555), "plugins can"),
        (lambda folder: mine(folder / "ping.py", 0o444), "ping.py can"),
        (lambda folder: folder.parent.chmod(0o777), "app can"),
        (lambda folder: mine(folder.parent, 0o555), "app can"),
        (lambda folder: folder.parent.chmod(0o1777), ""),
        (lambda folder: mine(folder.parent, 0o1777), "app can"),
    ],
)
def test_who_could_change_plugins_is_refused(
    prepare: Callable[[Path], None], expected: str
) -> None:
    """By the real rights of another user: its own, or above it, unless the folder is sticky."""
    with TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folder = Path(place) / "app" / "plugins"
        folder.mkdir(parents=True)
        (folder / "ping.py").touch()
        prepare(folder)
        with service():
            said = list(plugins(Site(Settings(plugins_path=(folder,)))))
    assert len(said) == bool(expected) and expected in "".join(said)


def test_an_owner_of_a_read_only_mount_can_change_nothing() -> None:
    """As in a container; what cannot be asked is nobody's."""
    owns = Site(Settings()).owns
    with TemporaryDirectory() as place:
        assert owns(Path(place)) and not owns(Path(place) / "none")
        frozen = SimpleNamespace(f_flag=os.ST_RDONLY)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "statvfs", lambda _: frozen)
            assert not owns(Path(place))


def test_a_folder_for_no_backup_is_refused(site: Site, tmp_path: Path) -> None:
    """One that the bot cannot make, or not write into."""
    folder = tmp_path / "of-root" / "backups"
    assert "BACKUP_FOLDER" in refused(site, backup_folder=folder)
    folder.mkdir(parents=True)
    assert "BACKUP_FOLDER" in refused(site, backup_folder=folder)
    fit = replace(site, settings=replace(site.settings, backup_folder=folder))
    assert not list(refusals(replace(fit, writable=lambda path: path == folder)))


def test_what_may_be_written_is_asked_for_the_user_itself() -> None:
    """A folder of another owner is not writable to a service, and its own is."""
    may, user = Site(Settings()).writable, os.geteuid()
    with TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        theirs, own = Path(place) / "theirs", Path(place) / "own"
        theirs.mkdir(mode=0o555)
        own.mkdir(mode=0o755)
        if user == 0:
            shutil.chown(own, NOBODY)
            os.seteuid(NOBODY)
        try:
            assert (may(theirs), may(own)) == (False, True)
        finally:
            os.seteuid(user)
