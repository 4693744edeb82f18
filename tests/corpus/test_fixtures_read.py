import dataclasses
import json
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mailgate import mime
from mailgate.domain.mail import Mail
from tests.corpus import messages
from tests.unit.mime.soundness import faults

PREFIXES = 150


def as_json(mail: Mail) -> dict[str, Any]:
    """A mail as the fixtures write it down: notes by their codes."""
    seen = dataclasses.asdict(mail)
    seen["sent_at"] = mail.sent_at.isoformat() if mail.sent_at else None
    seen["notes"] = [note.code for note in mail.notes]
    return json.loads(json.dumps(seen))  # type: ignore[no-any-return]  # json gives Any; tuples become lists on the way


@pytest.mark.parametrize("path", messages.fixtures(), ids=messages.name)
def test_a_fixture_is_read_as_it_is_written_down(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text())
    assert as_json(mime.read(path.read_bytes())) == expected


@pytest.mark.parametrize("path", messages.fixtures(), ids=messages.name)
def test_a_document_of_a_fixture_has_the_bytes_that_were_listed(path: Path) -> None:
    raw = path.read_bytes()
    documents = mime.read(raw).documents
    contents = [mime.document(raw, document.n) for document in documents]
    assert [sha256(content or b"-").hexdigest() for content in contents] == [document.sha256 for document in documents]
    assert mime.document(raw, len(documents) + 1) is None
    assert mime.document(raw, 0) is None


@pytest.mark.parametrize("path", messages.fixtures(), ids=messages.name)
def test_every_truncation_of_a_fixture_is_read(path: Path) -> None:
    raw = path.read_bytes()
    start = time.monotonic()
    for end in range(0, len(raw), max(1, len(raw) // PREFIXES)):
        assert faults(mime.read(raw[:end])) == [], end
    assert time.monotonic() - start < 20  # some tenths of a second


@pytest.mark.parametrize("path", messages.fixtures(), ids=messages.name)
def test_a_fixture_says_why_it_exists_and_ends_its_lines_as_mail_does(path: Path) -> None:
    raw = path.read_bytes()
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    assert len(path.with_suffix(".md").read_text().splitlines()) == 1
