"""Languages: catalogues that are read as they are, and complete."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import polib
import pytest

from bot import texts
from bot.i18n import Catalogues
from bot.texts import Text
from models import Language
from settings import LANGUAGES

ROOT = Path(__file__).parents[2]
LOCALES = ROOT / "locales"
SOURCES = {path.stem: [path] for path in sorted((ROOT / "plugins").glob("*.py"))}
SOURCES["core"] = sorted((ROOT / "bot").glob("*.py"))

HEADER = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'


def words_of(name: str) -> dict[str, Text]:
    """The texts of a plugin, or of the core."""
    return {text.singular: text for path in SOURCES[name] for text in texts.find(path)}


def fields(text: str) -> set[str]:
    return set(re.findall(r"{\w*}", text))


def test_every_language_of_the_settings_has_catalogues() -> None:
    """What people can choose, what the settings take and what is written are the same."""
    assert Catalogues([LOCALES]).languages == sorted(LANGUAGES) == sorted(Language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SOURCES)
def test_a_catalogue_is_complete(language: str, name: str) -> None:
    """It has every text of the source and no other, none empty, each with the same fields."""
    catalogue = polib.pofile(str(LOCALES / language / f"{name}.po"), check_for_duplicates=True)
    words = words_of(name)
    assert {entry.msgid: entry.msgid_plural for entry in catalogue} == {
        text.singular: text.plural or "" for text in words.values()
    }
    assert catalogue.untranslated_entries() == catalogue.fuzzy_entries() == []
    for entry in catalogue:
        said = [entry.msgstr] if entry.msgstr else list(entry.msgstr_plural.values())
        assert all(said) and all(fields(text) == fields(entry.msgid) for text in said), entry.msgid


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_catalogue_without_a_source(language: str) -> None:
    """A plugin that is gone takes its texts with it."""
    assert {path.stem for path in (LOCALES / language).iterdir()} == SOURCES.keys()


def test_one_text_is_translated_in_one_way() -> None:
    """What two plugins say in the same words means the same in every language."""
    for language in LANGUAGES:
        said: dict[str, str] = {}
        for path in sorted((LOCALES / language).glob("*.po")):
            for entry in polib.pofile(str(path)):
                assert said.setdefault(entry.msgid, entry.msgstr) == entry.msgstr


@pytest.mark.parametrize("language", LANGUAGES)
def test_help_fits_the_menu(language: str) -> None:
    """Telegram takes 256 letters of a command's description, in every language."""
    translator = Catalogues([LOCALES]).translator(language)
    for name in SOURCES:
        assert all(len(translator.gettext(text)) <= 256 for text in words_of(name))


def test_plural_forms() -> None:
    """Russian has three, English two."""
    catalogues = Catalogues([LOCALES])
    forms = ("{count} person came by it.", "{count} people came by it.")
    russian = [catalogues.translator("ru").ngettext(*forms, n) for n in (1, 2, 5, 11, 21, 104)]
    assert [text.split()[-1] for text in russian] == [
        "человек.",
        "человека.",
        "человек.",
        "человек.",
        "человек.",
        "человека.",
    ]
    assert russian[0].startswith("По ней пришёл ") and russian[2].startswith("По ней пришли ")
    assert catalogues.translator("en").ngettext(*forms, 1) == forms[0]


def test_an_unknown_text_stays_as_it_is(tmp_path: Path) -> None:
    """Without a translation, or with an empty or doubtful one, the words of the source are said."""
    (tmp_path / "ru").mkdir()
    entries = 'msgid "a"\nmsgstr ""\n\n#, fuzzy\nmsgid "b"\nmsgstr "doubt"\n'
    (tmp_path / "ru" / "x.po").write_text(HEADER + entries)
    translator = Catalogues([tmp_path]).translator("ru")
    assert [translator.gettext(text) for text in "abc"] == ["a", "b", "c"]


def test_a_language_without_a_catalogue_is_the_default(tmp_path: Path) -> None:
    """And without any catalogue at all nothing is translated."""
    assert Catalogues([LOCALES]).translator("de").gettext("Cancelled.") == "Cancelled."
    russian = Catalogues([LOCALES], default="ru")
    assert russian.translator("de").gettext("Cancelled.") == "Отменено."
    assert Catalogues([tmp_path]).translator("ru").gettext("Cancelled.") == "Cancelled."


def test_of_two_folders_the_first_counts(tmp_path: Path) -> None:
    """A folder before ours changes a text, and the others stay."""
    (tmp_path / "ru").mkdir()
    (tmp_path / "ru" / "mine.po").write_text(HEADER + 'msgid "Cancelled."\nmsgstr "Ну и ладно."\n')
    catalogues = Catalogues([tmp_path, LOCALES])
    said = catalogues.translator("ru").gettext
    assert (said("Cancelled."), said("Deleted.")) == ("Ну и ладно.", "Удалено.")
    assert catalogues.knows("ru", "Deleted.") and not catalogues.knows("ru", "Never said.")


def test_a_broken_catalogue_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The rest is read, and the log names the file."""
    (tmp_path / "ru").mkdir()
    (tmp_path / "ru" / "a.po").write_text("nonsense")
    (tmp_path / "ru" / "b.po").write_text(HEADER + 'msgid "b"\nmsgstr "б"\n')
    with caplog.at_level(logging.WARNING):
        assert Catalogues([tmp_path]).translator("ru").gettext("b") == "б"
    assert str(tmp_path / "ru" / "a.po") in caplog.text


SOURCE = '''
"""A description."""
plugin = Plugin(__name__)
limit = plugin.setting("limit", 5, "How many.")

@plugin.command("a")
def a(ctx):
    """Help.

    More.
    """
    ctx.reply(ctx._("one" if limit() else "two"))
    _("three")
    ctx.ngettext("{n} cat", "{n} cats", 5)
    say(turn, "four")
    ctx._(computed)
'''


def test_texts_are_found_in_the_source(tmp_path: Path) -> None:
    """Each with its line; what is computed is not found."""
    path = tmp_path / "a.py"
    path.write_text(SOURCE)
    assert [text[1:] for text in texts.find(path)] == [
        ("A description.", None),
        ("How many.", None),
        ("Help.", None),
        ("one", None),
        ("two", None),
        ("three", None),
        ("{n} cat", "{n} cats"),
        ("four", None),
    ]
