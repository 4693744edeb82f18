"""Mails forwarded inline: the block of From, To, Date and Subject that mail programs write above the original."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Original:
    """What the block says of the original, as it says it; "" is unsaid."""

    sender: str
    to: str
    date: str
    subject: str


def inline(_text: str) -> Original | None:
    """Find the first block of a forwarded mail; ``None`` where nothing was forwarded inline."""
    return None
