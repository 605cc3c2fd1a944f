"""The reload of a developing bot: what counts as a change, and what happens on one."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

from bot.reload import SETTLED, Watcher, snapshot


class Scene:
    """A plugin folder, a runner that answers as told, and a count of restarts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answer: str | None = None
        self.trials = 0
        self.restarts = 0
        (folder / "ping.py").write_text("one = 1\n")
        self.watcher = Watcher([folder], snapshot([folder]), restart=self.restart, trial=self.trial)

    def trial(self) -> str | None:
        self.trials += 1
        return self.answer

    def restart(self) -> None:
        self.restarts += 1


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_nothing_happens_without_a_change(scene: Scene) -> None:
    """A look that finds the same files runs nothing."""
    assert not scene.watcher.step(0.0)
    assert not scene.watcher.step(1000.0)
    assert scene.trials == 0


def test_a_saved_plugin_is_tried_and_started(scene: Scene) -> None:
    """A trial, then the restart."""
    (scene.folder / "new.py").write_text("two = 2\n")
    assert not scene.watcher.step(10.0)
    assert scene.watcher.step(10.0 + SETTLED)
    assert scene.trials == 1
    assert scene.restarts == 1


def test_a_change_is_tried_when_it_has_settled(scene: Scene) -> None:
    """Each further change begins the wait anew, so that no half-saved file is tried."""
    for number in range(4):
        (scene.folder / "ping.py").write_text("x" * (50 + number))
        assert not scene.watcher.step(number * SETTLED)
    assert scene.trials == 0
    assert scene.watcher.step(4 * SETTLED)


def test_a_plugin_saved_while_the_others_were_loaded_is_a_change(scene: Scene) -> None:
    """What counts as known is what was there before the plugins were read."""
    before = snapshot([scene.folder])
    (scene.folder / "late.py").write_text("late = 1\n")
    watcher = Watcher([scene.folder], before, restart=scene.restart, trial=scene.trial)
    watcher.step(0.0)
    assert watcher.step(1.0)


def test_a_broken_plugin_leaves_the_bot_as_it_is(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing try is logged with what it said, line by line, and tried once for each change."""
    scene.answer = "ping.py:\n  line 1 is 100 % wrong"
    (scene.folder / "ping.py").write_text("one =\n")
    scene.watcher.step(0.0)
    with caplog.at_level(logging.WARNING):
        assert not scene.watcher.step(1.0)
        assert not scene.watcher.step(2.0)
    assert scene.trials == 1
    assert scene.restarts == 0
    said = ["ping.py:", "  line 1 is 100 % wrong"]
    assert caplog.messages == ["plugins_not_reloaded", *said]
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3
    assert vars(caplog.records[0])["files"] == "ping.py"


def test_a_trial_that_cannot_begin_is_told(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Without room for another process the bot stays as it is, and goes on looking."""

    def trial() -> str | None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    watcher = Watcher([scene.folder], snapshot([scene.folder]), restart=scene.restart, trial=trial)
    (scene.folder / "ping.py").write_text("one = 11\n")
    watcher.step(0.0)
    with caplog.at_level(logging.ERROR):
        assert not watcher.step(1.0)
    assert "the trial could not be begun" in caplog.messages[1] and not scene.restarts


def test_a_mended_plugin_is_taken(scene: Scene) -> None:
    """After a failure the next change is tried again."""
    scene.answer = "wrong"
    (scene.folder / "ping.py").write_text("one =\n")
    scene.watcher.step(0.0)
    scene.watcher.step(1.0)
    scene.answer = None
    (scene.folder / "ping.py").write_text("one = 11\n")
    scene.watcher.step(2.0)
    assert scene.watcher.step(3.0)


def test_a_deleted_plugin_is_a_change(scene: Scene) -> None:
    """Deleting counts."""
    (scene.folder / "ping.py").unlink()
    scene.watcher.step(0.0)
    assert scene.watcher.step(1.0)


def test_only_what_is_loaded_counts(tmp_path: Path) -> None:
    """Python files and catalogues, in packages too; no caches, no editors' files, no others."""
    for name in ("a.py", "pack/b.py", "pack/locales/ru/x.po", "pack/locales/ru/x.mo"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    expected = set(snapshot([tmp_path]))
    for name in ("__pycache__/a.py", ".a.py.swp", ".#b.py", "notes.txt", "pack/a.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert set(snapshot([tmp_path, tmp_path / "missing"])) == expected
    assert len(expected) == 4


def test_a_link_to_nothing_is_no_file(tmp_path: Path) -> None:
    """A file that is gone between listing and looking does not break the watch."""
    (tmp_path / "link.py").symlink_to(tmp_path / "nothing.py")
    assert snapshot([tmp_path]) == {}


def test_a_change_of_the_same_size_is_seen(scene: Scene) -> None:
    """The time of the change counts as well as the size."""
    path = scene.folder / "ping.py"
    os.utime(path, ns=(1, 1))
    scene.watcher.step(0.0)
    assert scene.watcher.step(1.0)


def test_the_watch_ends_with_the_restart(scene: Scene) -> None:
    """`watch` sleeps between looks and returns once the bot begins anew."""
    times = iter([0.0, 1.0, 2.0])
    naps: list[float] = []
    (scene.folder / "ping.py").write_text("changed\n")
    scene.watcher.watch(lambda: next(times), naps.append)
    assert scene.restarts == 1
    assert len(naps) == 1


def test_watching_happens_in_a_thread(scene: Scene) -> None:
    """`start` returns at once."""
    (scene.folder / "ping.py").write_text("changed\n")
    thread = scene.watcher.start()
    thread.join(5)
    assert not thread.is_alive()
    assert scene.restarts == 1
