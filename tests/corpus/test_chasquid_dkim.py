"""Chasquid's DKIM mails, against the results that chasquid itself gives, with its zones.

Where we are stricter, or look at more, the table says why. Where the corpus is missing there is nothing to walk:
``tests/unit/mailauth/test_signatures.py`` signs mails by itself.
"""

import json
from pathlib import Path

from mailgate.domain.header import split, with_crlf
from mailgate.mailauth import signatures
from mailgate.mailauth.canonical import Message
from tests.corpus.messages import CORPUS
from tests.signing import Zone

FOLDER = CORPUS / "chasquid" / "internal" / "dkim" / "testdata"
NOW = 1_710_000_000
STATES = {"SUCCESS": "pass", "PERMFAIL": "permerror", "TEMPFAIL": "temperror"}
STRICTER = {
    # chasquid looks at 5 of the 7 signatures, we at 10
    "02-too_many_headers": ["pass"] * 7,
    # chasquid takes a key by its own kind; we do too: the second record of the name is of the other one
    "07-algo_mismatch": ["pass", "pass"],
    # no header at all: chasquid gives an error, we find no signature
    "03-bad_message": [],
    # l=: whatever is added below the signed part would be the author's
    "09-limited_body": ["policy", "pass", "pass"],
}


def content(path: Path) -> bytes:
    """Read a file; one that holds nothing but another's name stands for it."""
    data = path.read_bytes() if path.exists() else b""
    other = path.with_name(data.decode("latin-1").strip()) if 0 < len(data) < 40 else path
    return content(other) if other != path and other.exists() else data


def zone(path: Path) -> Zone:
    found = Zone()
    for line in content(path).decode().replace("\\\n", "").splitlines():
        name, colon, value = line.partition(":")
        if value.strip() == "TEMPERROR":
            found.down.add(name)
        elif colon and value.strip() != "PERMERROR":  # we know of no such thing: no data
            found.texts.setdefault(name, []).append(value.strip().encode())
    return found


def expected(path: Path) -> list[str]:
    if path.stem in STRICTER:
        return STRICTER[path.stem]
    return [STATES[each["State"]] for each in json.loads(content(path.with_suffix(".result")))["Results"]]


def verified(path: Path) -> list[str]:
    raw = with_crlf(content(path))
    message, dns = Message(split(raw), raw), zone(path.with_suffix(".dns"))
    own, others = signatures.read(message, "football.example.com")
    return [signatures.check(message, each, dns, NOW).result for each in (*own, *others)]


def test_each_mail_gives_what_it_gives_chasquid_or_less() -> None:
    mails = sorted(FOLDER.glob("*.msg"))
    assert len(mails) == (11 if FOLDER.exists() else 0)
    assert {path.stem: sorted(verified(path)) for path in mails} == {
        path.stem: sorted(expected(path)) for path in mails
    }
