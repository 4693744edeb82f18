"""The notes that reading leaves on an activity: each code once, the first sentence said of it stays."""

from mailgate.domain.mail import Note

UNREADABLE = "unreadable"
DEFECTS = "defects"
CHARSET_GUESSED = "charset_guessed"
AMBIGUOUS = "ambiguous_structure"
HEADER_TOO_LARGE = "header_too_large"
DATE_ABSURD = "date_absurd"
REMOTE_IMAGES = "remote_images"
TOO_MANY_LINKS = "too_many_links"


class Notes:
    """A list that grows while one mail is read; one instance per mail."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def add(self, code: str, text: str) -> None:
        """Add a note, unless one of its code is there."""
        self._said.setdefault(code, text)

    def done(self) -> tuple[Note, ...]:
        """Return all notes in the order of their coming."""
        return tuple(Note(code, text) for code, text in self._said.items())
