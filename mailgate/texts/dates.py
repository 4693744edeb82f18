"""Dates as the readers of each language write them, the month as a word, so that no order of numbers misleads."""

from collections.abc import Mapping
from datetime import date

from babel.dates import format_date

from mailgate.domain.user import Language

# with the country: plain "en" would be American
_LOCALES: Mapping[Language, str] = {
    Language.DE: "de_CH",
    Language.EN: "en_GB",
    Language.FR: "fr_CH",
    Language.IT: "it_CH",
}


def long_date(language: Language, day: date) -> str:
    """Write a day: 4. Dezember 2026, 4 December 2026, 4 décembre 2026, 4 dicembre 2026."""
    written = format_date(day, format="long", locale=_LOCALES[language])
    return f"1er{written[1:]}" if language is Language.FR and day.day == 1 else written  # CLDR has no ordinals
