"""The words of an activity: one text, or one in each of its languages, which can also be read as one.

Several languages stand in the order DE, EN, FR, IT, each under its own name, as the mail that was sent held them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from mailgate.domain.user import Language

LANGUAGE_NAMES: Mapping[Language, str] = {
    Language.DE: "Deutsch",
    Language.EN: "English",
    Language.FR: "Français",
    Language.IT: "Italiano",
}


@dataclass(frozen=True, slots=True)
class Content:
    """An activity's words in one language; a mail logged by BCC has one, under no language."""

    subject: str = ""
    text: str = ""
    html: str = ""


def in_order(languages: Mapping[Language, Content]) -> dict[Language, Content]:
    """Put contents in the order of the languages."""
    return {language: languages[language] for language in Language if language in languages}


def joined(content: Mapping[Language, Content]) -> Content:
    """Make one content of those in several languages; a single one stays as it is."""
    ordered = in_order(content)
    if len(ordered) == 1:
        return next(iter(ordered.values()))
    subjects = dict.fromkeys(one.subject for one in ordered.values() if one.subject)
    texts = [f"{LANGUAGE_NAMES[language]}\n\n{one.text}" for language, one in ordered.items() if one.text]
    has_html = any(one.html for one in ordered.values())
    parts = [
        f"<h2>{LANGUAGE_NAMES[language]}</h2>\n{one.html or _as_html(one.text)}"
        for language, one in ordered.items()
        if has_html and (one.html or one.text)
    ]
    return Content(subject=" / ".join(subjects), text="\n\n".join(texts), html="\n".join(parts))


def _as_html(text: str) -> str:
    return f"<p>{escape(text).replace(chr(10), '<br>')}</p>"
