"""The notes that reading leaves on an activity: each code once, save for those said of several documents."""

from mailgate.domain.mail import Note

UNREADABLE = "unreadable"
DEFECTS = "defects"
CHARSET_GUESSED = "charset_guessed"
AMBIGUOUS = "ambiguous_structure"
HEADER_TOO_LARGE = "header_too_large"
DATE_ABSURD = "date_absurd"
REMOTE_IMAGES = "remote_images"
TOO_MANY_LINKS = "too_many_links"
LINK_MISMATCH = "link_mismatch"
TYPE_MISMATCH = "type_mismatch"
EXECUTABLE = "executable"
ENCRYPTED = "encrypted"
SIGNED = "signed"
TNEF = "tnef"
BODY_TOO_LONG = "body_too_long"
INLINE_FORWARD = "inline_forward"


MAX_EACH = 20  # of one code


class Notes:
    """A list that grows while one mail is read; one instance per mail."""

    def __init__(self) -> None:
        self._said: dict[str, dict[str, None]] = {}

    def add(self, code: str, text: str) -> None:
        """Add a note, unless one of its code is there."""
        self._said.setdefault(code, {text: None})

    def add_each(self, code: str, text: str) -> None:
        """Add a note, beside others of its code."""
        texts = self._said.setdefault(code, {})
        if len(texts) < MAX_EACH:
            texts.setdefault(text)

    def done(self) -> tuple[Note, ...]:
        """Return all notes in the order of their coming."""
        return tuple(Note(code, text) for code, texts in self._said.items() for text in texts)
