"""What a domain's DMARC record says of its mail (RFC 9989; before it RFC 7489).

``find`` asks at the author's domain and, where nothing is there, further up, label by label, to the organisational
domain: the walk of RFC 9989 4.10, ended where public suffixes begin, for nobody's record there makes a domain's mail
more credible. From a name of more than eight labels on it jumps, as there. The record at the author's own domain
counts, else the highest that was found, which is where RFC 7489 looks too.

Several records at one name are none (and end the walk), as is what begins with another version or can't be read. A
record without a policy counts as ``p=none`` where it asks for reports, else as none. Bad values are passed over.

``covers`` narrows who is aligned by what the walk met: at ``psd=n`` the organisation begins there, at ``psd=y`` one
label below (RFC 9989 4.10.2); without both the list of public suffixes alone decides.

Raises ``Trouble`` of the DNS. At most eight look-ups.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailgate.mailauth.alignment import aligned, organisational_domain, within
from mailgate.mailauth.resolver import Lookups

if TYPE_CHECKING:
    import dmarc

MAX_LABELS = 8
MAX_RECORD = 4096

_RECORD = re.compile(r"[ \t]*v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)")  # RFC 9989 4.7: the version as it is written


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """``at`` is where the record stands, ``wish`` the policy for the author's domain: none, quarantine or reject.

    ``top`` is the organisational domain where the domain's owner set it (``psd``), else "".
    """

    at: str
    wish: str
    testing: bool = False
    strict_dkim: bool = False
    strict_spf: bool = False
    top: str = ""

    def covers(self, author_domain: str, other_domain: str, *, strict: bool) -> bool:
        """Say whether a folded domain is aligned with the author's under this policy."""
        return aligned(author_domain, other_domain, strict=strict) and (not self.top or within(other_domain, self.top))


def find(lookups: Lookups, author_domain: str) -> Policy | None:
    """Find the policy for a folded domain; ``None`` where its organisation publishes none."""
    found: list[tuple[str, str]] = []
    top = ""
    for name in _walk(author_domain):
        records = _records(lookups, name)
        if len(records) > 1:
            break
        if records:
            found.append((name, records[0]))
            top = _top(author_domain, name, records[0])
        if top:
            break
    if not found:
        return None
    at, record = found[0] if found[0][0] == author_domain else found[-1]
    return _policy(record, author_domain, at, top)


def _walk(domain: str) -> Iterator[str]:
    """Give the names to ask at, from the domain up to its organisation's."""
    organisation = organisational_domain(domain)
    if not organisation:
        return
    labels, last = domain.split("."), organisation.count(".") + 1
    yield domain
    for count in range(min(len(labels), MAX_LABELS) - 1, last - 1, -1):
        yield ".".join(labels[-count:])


def _records(lookups: Lookups, name: str) -> list[str]:
    texts = [record.decode("utf-8", "replace") for record in lookups.txt(f"_dmarc.{name}") if len(record) <= MAX_RECORD]
    return [text for text in texts if _RECORD.match(text)]


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip().lower() for name, _, value in pairs}


def _top(author_domain: str, name: str, record: str) -> str:
    psd = _tags(record).get("psd")
    if psd == "n":
        return name
    if psd == "y" and name != author_domain:
        labels = author_domain.split(".")
        return ".".join(labels[-(name.count(".") + 2) :])
    return ""


def _policy(record: str, author_domain: str, at: str, top: str) -> Policy | None:
    read = _read(record, author_domain)
    if read is None:
        return None
    below = at != author_domain and read.sp.value
    return Policy(
        at=at,
        wish=str(below or read.p.value),
        testing=read.t.value == "y",
        strict_dkim=read.adkim.value == "s",
        strict_spf=read.aspf.value == "s",
        top=top,
    )


def _read(record: str, domain: str) -> "dmarc.Policy | None":
    import dmarc  # noqa: PLC0415 - only who verifies pays for it

    parts = [part for part in record.split(";") if part.strip()]
    if "rua" in _tags(record):
        parts.insert(1, "p=none")  # what stands below replaces it
    try:
        return dmarc.DMARC().parse_record(";".join([*parts, ""]), domain, strict=False)
    except dmarc.RecordSyntaxError:
        return None
