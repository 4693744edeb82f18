"""Where the messages for walking lie: a corpus of other projects' test mails, and our own fixtures.

The corpus is beside the repository and not in everybody's clone; where it is missing, our fixtures stand in.
"""

from functools import cache
from pathlib import Path

from mailgate.domain import header
from mailgate.domain.header import Field, Shape

REPOSITORY = Path(__file__).resolve().parents[2]
FIXTURES = REPOSITORY / "fixtures" / "mails"
CORPUS = REPOSITORY.parent / "shared" / "corpus"

# per project: which of its files are messages
PATTERNS = (
    "chasquid/**/*.msg",
    "cpython/**/*.txt",
    "enmime/**/*.raw",
    "james/**/*.eml",
    "mikel/**/*.eml",
    "mime4j/**/*.msg",
    "mimekit/**/*.eml",
    "rails/**/*.eml",
    "rspamd/**/*.eml",
    "spamscope/tests/mails/*",
    "stalwart-mail-parser/**/*.eml",
)
CORPUS_SIZE = 262


def fixtures() -> list[Path]:
    """List our own mails."""
    return sorted(FIXTURES.glob("*.eml"))


@cache
def _corpus() -> tuple[Path, ...]:
    return tuple(sorted(path for pattern in PATTERNS for path in CORPUS.glob(pattern) if path.is_file()))


def messages() -> list[Path]:
    """List the corpus; where it is missing say so and list our own mails."""
    if not CORPUS.is_dir():
        print(f"no corpus at {CORPUS}: walking our own fixtures instead")
        return fixtures()
    return list(_corpus())


def name(path: Path) -> str:
    """Name a message in test output."""
    return str(path.relative_to(CORPUS if path.is_relative_to(CORPUS) else FIXTURES))


def with_author(raw: bytes, author: str) -> bytes:
    """Put a From of our own in place of every line that any reader may take for one, and CRLF for LF."""
    raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    split = header.split(raw)
    kept = b"".join(_row(field) for field in split.fields if not _may_be_from(field))
    blank = b"\r\n" if raw[: split.body].endswith(b"\r\n\r\n") or raw.startswith(b"\r\n") else b""
    return b"From: " + author.encode() + b"\r\n" + kept + blank + raw[split.body :]


def _row(field: Field) -> bytes:
    if field.shape is Shape.GARBAGE:
        return field.value + b"\r\n"
    colon = b" :" if field.shape is Shape.SPACED else b":"
    return field.name + colon + field.value + b"\r\n"


def _may_be_from(field: Field) -> bool:
    if field.shape is Shape.MBOX or field.is_named(b"from"):
        return True
    return field.shape is Shape.GARBAGE and (field.value[:1] in b" \t" or field.value.lower().startswith(b"from"))
