"""Languages: every text in the user's, from gettext catalogues that are read at start."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import TypeAlias

import polib

log = logging.getLogger(__name__)

Translator: TypeAlias = NullTranslations
"""Has gettext(text) and ngettext(singular, plural, count)."""


class Catalogues:
    """The texts of each language, from `<folder>/<language>/*.po`; the rest stays as it is.

    Of two files that have the same text the first counts.
    """

    def __init__(self, folders: Iterable[Path], *, default: str = "en") -> None:
        self.default = default
        self._untold = NullTranslations()
        self._translators: dict[str, Translator] = {}
        self._known: dict[str, set[str]] = {}
        for folder in folders:
            for path in sorted(folder.glob("*/*.po")):
                self._read(path)

    @property
    def languages(self) -> list[str]:
        """The languages there are texts for."""
        return sorted(self._translators)

    def translator(self, language: str) -> Translator:
        """The texts of a language; of the default for one without a catalogue."""
        found = self._translators.get(language) or self._translators.get(self.default)
        return found or self._untold

    def knows(self, language: str, text: str) -> bool:
        """Whether a text is there in a language."""
        return text in self._known.get(language, ())

    def _read(self, path: Path) -> None:
        """Add a file to its language. One that cannot be read is logged and left out."""
        try:
            catalogue = polib.pofile(str(path))
            translations = GNUTranslations(io.BytesIO(catalogue.to_binary()))
        except (OSError, ValueError) as error:
            log.warning("the catalogue %s cannot be read: %s", path, error)
            return
        language = path.parent.name
        known = self._known.setdefault(language, set())
        known.update(entry.msgid for entry in catalogue.translated_entries())
        if first := self._translators.get(language):
            first.add_fallback(translations)
        else:
            self._translators[language] = translations
