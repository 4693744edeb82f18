"""The marks that mail programs write above a mail they quote or hand on, in German, English, French and Italian.

A block is the lines From, Date (or Sent), To and Subject, in any order, each language's words mixed as they come (Gmail
translates the first line only). Values may go on in further lines, words may stand between asterisks (HTML as text),
a colon may have a space before it, a no-break one too; lines of an attribute unknown to us are taken as going on.
Both From and Subject must be there, and one of the others: "Von: Zürich, An: Bern, Datum: 3. Mai" is no mail.

Takes lines, and looks at no more than ``MAX_BLOCK`` of them. Raises nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from unicodedata import normalize

MAX_BLOCK = 60  # lines: somebody may have written to a hundred people
MAX_BETWEEN = 4  # lines between a mark and its block
MAX_VALUE = 2000
MAX_MARK = 120

_LABELS = {
    "from": ("from", "von", "de", "da", "mittente", "expéditeur", "absender"),
    "to": ("to", "an", "à", "a", "pour", "per", "destinataire", "destinatario", "empfänger"),
    "date": (
        "date",
        "sent",
        "datum",
        "gesendet",
        "gesendet am",
        "envoyé",
        "envoyé le",
        "data",
        "inviato",
        "inviato il",
    ),
    "subject": ("subject", "betreff", "objet", "sujet", "oggetto"),
    "other": (
        *("cc", "bcc", "reply-to", "importance", "attachments", "organization"),
        *("kopie", "kopie (cc)", "blindkopie (bcc)", "antwort an", "wichtigkeit", "anlagen", "organisation"),
        *("copie à", "répondre à", "pièces jointes", "ccn", "rispondi a", "priorità", "allegati", "organizzazione"),
    ),
}
_MEANINGS = {label: meaning for meaning, labels in _LABELS.items() for label in labels}
_LABEL = re.compile(r"[ \t\u00a0*_]{0,8}+([^\W\d_][\w\u0300\u0301 ()-]{0,18}?)[ \t\u00a0*_]{0,4}[::][ \t\u00a0*_]{0,8}")
_QUOTES = re.compile(r"[ \t]{0,3}+(?:>[ \t]?)*+")
_MAILTO = re.compile(r"\s?[<\[(]mailto:([^<>\[\]()\s]{1,320})[>\])]", re.IGNORECASE)
_SPACES = re.compile(r"\s+")

_DASHES = "[-\u2013_]{3,16}"
_FORWARDED = re.compile(
    rf"{_DASHES} ?(?:forwarded message|weitergeleitete nachricht|message transféré|message transmis"
    rf"|messaggio inoltrato) ?{_DASHES}"
    r"|(?:begin forwarded message|anfang der weitergeleiteten (?:nachricht|e-mail)"
    r"|début du message (?:réexpédié|transféré)|inizio (?:del )?messaggio inoltrato) ?:"
)
_ORIGINAL = re.compile(
    rf"{_DASHES} ?(?:original message|original[ -]?nachricht|ursprüngliche nachricht|message d['\u2019]origine"
    rf"|message original|messaggio originale) ?{_DASHES}"
)
_MARKS_END = (":", "-", "_", "\u2013")
_SIGN = re.compile("[-_:\u2013]")
_RULE = re.compile(r"_{10,}|-{10,}")


class Mark(Enum):
    """What a line by itself announces. ``ORIGINAL`` stands above what is answered and above what is handed on."""

    FORWARDED = "forwarded"
    ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class Block:
    """What a block says, "" is unsaid; ``end`` is the line after it, ``first`` the meaning of its first line."""

    sender: str
    to: str
    date: str
    subject: str
    first: str
    end: int


def unquoted(line: str) -> str:
    """Return a line without its quote marks."""
    return _QUOTES.sub("", line, count=1) if ">" in line[:4] else line


def may_be(line: str) -> bool:
    """Say whether a line may be a mark, a rule or the begin of a block: each has one of these signs."""
    return _SIGN.search(line) is not None


def mark(line: str) -> Mark | None:
    """Say what a line announces, if nothing else stands in it; quote marks don't matter."""
    if len(line) > MAX_MARK or not line.rstrip(" *\u00a0").endswith(_MARKS_END):
        return None
    words = _SPACES.sub(" ", normalize("NFC", unquoted(line))).strip(" *").casefold()
    if _FORWARDED.fullmatch(words):
        return Mark.FORWARDED
    return Mark.ORIGINAL if _ORIGINAL.fullmatch(words) else None


def is_rule(line: str) -> bool:
    """Say whether a line is a row of dashes or underscores, as Outlook draws above its blocks."""
    return len(line) <= MAX_MARK and bool(_RULE.fullmatch(line.strip()))


def at(lines: Sequence[str], start: int) -> Block | None:
    """Read the block that begins in a line; ``None`` where none does."""
    first = _label(unquoted(lines[start]))
    if first is None or first[0] == "other":
        return None
    said: dict[str, list[str]] = {}
    meaning, end = first[0], start
    going_on: list[str] = []  # lines that belong to the block if another label follows
    for n in range(start, min(start + MAX_BLOCK, len(lines))):
        line = unquoted(lines[n])
        label = _label(line)
        if label and (label[0] not in said or label[0] == "other"):
            said.setdefault(meaning, []).extend(going_on)
            meaning, going_on = label[0], []
            said.setdefault(meaning, []).append(label[1])
            end = n + 1
        elif label or not _goes_on(lines, n, line, going_on):
            break
        elif line[0:1] in {" ", "\t"} and not going_on:
            said[meaning].append(line)
            end = n + 1
        else:
            going_on.append(line)
    if not {"from", "subject"} <= said.keys() or not {"to", "date"} & said.keys():
        return None
    told = {key: _value(said.get(key, [])) for key in ("from", "to", "date", "subject")}
    return Block(told["from"], told["to"], told["date"], told["subject"], first[0], end)


def below(lines: Sequence[str], start: int) -> Block | None:
    """Read the block that stands below a mark or rule, in the first line with words from ``start`` on."""
    for n in range(start, min(start + MAX_BETWEEN, len(lines))):
        if unquoted(lines[n]).strip():
            return at(lines, n)
    return None


def _goes_on(lines: Sequence[str], n: int, line: str, going_on: Sequence[str]) -> bool:
    """Say whether a line without a label may belong to the block: no empty one does, unless a label follows it."""
    if line.strip():
        return True
    return not going_on and n + 1 < len(lines) and _label(unquoted(lines[n + 1])) is not None


def _label(line: str) -> tuple[str, str] | None:
    """Return what a line is about, and its value."""
    found = _LABEL.match(line) if ":" in line else None
    if not found:
        return None
    meaning = _MEANINGS.get(normalize("NFC", found[1]).strip().casefold())
    return (meaning, line[found.end() : found.end() + MAX_VALUE]) if meaning else None


def _value(pieces: list[str]) -> str:
    value = _SPACES.sub(" ", " ".join(pieces)[:MAX_VALUE]).strip(" *")
    return _MAILTO.sub(lambda link: "" if link[1] in value[: link.start()] else f" <{link[1]}>", value).strip()
