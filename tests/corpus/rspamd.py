"""What rspamd expects of its spellings of From: every one of them means ``user@example.org``, and has one author."""

from collections.abc import Iterator

from mailgate import mime
from mailgate.domain import header
from mailgate.domain.author import read_author
from mailgate.errors import Refused
from tests.corpus.expectation import Expectation, Kind
from tests.corpus.messages import CORPUS

FOLDER = CORPUS / "rspamd" / "test" / "functional" / "messages" / "from"
MEANT = "user@example.org"


def expectations() -> Iterator[Expectation]:
    """List them all; none where the corpus is missing."""
    for path in sorted(FOLDER.glob("*.eml")):
        raw = path.read_bytes()
        shown = [party.email for party in mime.read(raw).parties if party.header == "from"]
        # who is shown and who wrote it by the strict rule are one
        yield Expectation(path.name, Kind.ADDRESSES, "from", ([MEANT], MEANT), (shown, _author(raw)))


def _author(raw: bytes) -> str:
    try:
        return read_author(header.split(raw))
    except Refused as refused:
        return refused.reason.value
