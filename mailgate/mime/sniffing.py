"""What a document's first octets and name tell of it: hints only, nothing is refused for them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hint:
    """``executable``: opening it may run it. ``is_really``: the kind of its content where another was declared."""

    executable: bool = False
    is_really: str = ""


def look(_content: bytes, _media: str, _name: str) -> Hint:
    """Look at a document: its content, its declared type and its cleaned name."""
    return Hint()
