"""The end of DATA, dot-unstuffing, and what makes a mail's bytes unfit. Pure: bytes in, bytes out.

Only ``CRLF . CRLF`` ends a mail (RFC 5321 4.1.1.4), or ``. CRLF`` as its very first line. Nothing else does, whatever
it looks like to another server: that difference is what smuggling lives on. A dot after CRLF is taken off (4.5.2).
Searched with the fast functions of ``bytes``, in pieces as they come; no line is ever looked at by itself.
"""

from mailgate.errors import Reason

_END = b"\r\n.\r\n"
_STEP = 256 * 1024  # octets looked at before other threads may run
MAX_HEAD = 64 * 1024  # octets of a refused mail that are kept for its ledger row


class EndOfData:
    """Finds the end of one mail in the pieces that come in."""

    def __init__(self) -> None:
        self._tail = b"\r\n"  # before the first line there is the end of the DATA line
        self._first = True
        self.rest: bytes | None = None  # what came after the end, once that was found

    def feed(self, piece: bytes) -> bytes:
        """Take a piece, give what is certain to belong to the mail, unstuffed. Sets ``rest`` at the end."""
        data = self._tail + piece
        end = data.find(_END)
        if end >= 0:
            self.rest = data[end + len(_END) :]
            self._tail = b""
            return self._without_first(data[: end + 2].replace(b"\r\n.", b"\r\n"))
        keep = next((size for size in range(len(_END) - 1, 0, -1) if data.endswith(_END[:size])), 0)
        self._tail = data[len(data) - keep :]
        return self._without_first(data[: len(data) - keep].replace(b"\r\n.", b"\r\n"))

    def _without_first(self, data: bytes) -> bytes:
        if self._first and data:
            self._first = False
            return data[2:]
        return data


def flaw(raw: bytes, *, max_header_size: int, chunked: bool) -> Reason | None:
    """Say what makes the bytes of a whole mail unfit, if anything.

    NUL is never taken. A CR or LF that is no line end is refused in the whole mail, or, in one that came by BDAT
    (``chunked``), in its header: Exchange sends bare newlines in bodies that way.
    """
    header = _header_size(raw, max_header_size)
    if header > max_header_size:
        return Reason.TOO_LARGE
    if _count(raw, b"\0", len(raw)):
        return Reason.BARE_NEWLINE
    checked = header if chunked else len(raw)
    pairs = _count(raw, b"\r\n", checked)
    if _count(raw, b"\r", checked) != pairs or _count(raw, b"\n", checked) != pairs:
        return Reason.BARE_NEWLINE
    return None


def head_of(raw: bytes) -> bytes:
    """Cut down to the header, for the ledger: whole lines, 64 KiB at most."""
    head = raw[: min(_header_size(raw, MAX_HEAD), MAX_HEAD)]
    return head[: head.rfind(b"\n") + 1]


def _header_size(raw: bytes, most: int) -> int:
    """Measure the header with the empty line that ends it; all there is where none does. Looks no further than most."""
    if raw.startswith(b"\r\n"):
        return 2
    end = raw.find(b"\r\n\r\n", 0, most)
    return end + 4 if end >= 0 else len(raw)


def _count(raw: bytes, what: bytes, until: int) -> int:
    """Count in steps, for ``bytes.count`` lets no other thread run; a pair across two steps counts once."""
    more = len(what) - 1
    return sum(raw.count(what, start, min(start + _STEP + more, until)) for start in range(0, until, _STEP))
