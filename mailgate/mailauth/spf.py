"""SPF (RFC 7208): whether a client may send for the domain of the envelope sender; where that is null, of HELO.

The records are read by pyspf; its questions go to the mail's own ``Lookups``. ``check`` raises nothing: trouble with
the DNS is ``temperror``, and so is a bug, which is logged. A pass says nothing about From: who uses it compares
domains, and takes none whose ``identity`` is ``helo``.

Limits: those of RFC 7208 4.6.4 (ten terms that ask, ten hosts to an mx or ptr, two questions without an answer), time
and number of questions from the ``Lookups``. Records above ``MAX_RECORD`` bytes and terms above ``MAX_TERM``, over
which pyspf's expressions take quadratic time, are ``permerror``; of more than ``MAX_ADDRESSES`` addresses of a host the
rest isn't looked at. The domain's own explanation (``exp=``) is never fetched.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Literal

import spf

from mailgate import events
from mailgate.domain.address import fold_domain
from mailgate.errors import BadInput
from mailgate.mailauth.resolver import Lookups, Trouble

MAX_RECORD = 8192
MAX_TERM = 512
MAX_ADDRESSES = 100
MAX_TEXT = 255  # of what macros repeat: HELO, local part

_MAX_NAME = 253
_MAX_LABEL = 63
_MAX_PROBLEM = 200
_WORDS = frozenset({"pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SpfResult:
    """``result`` is a word of RFC 8601 2.7.2; ``domain`` is folded, "" where there was none to ask about.

    ``problem`` says in printable ASCII what was wrong with a record or look-up, "" where nothing was.
    """

    result: str
    domain: str
    identity: Literal["mailfrom", "helo"]
    problem: str = ""


def check(lookups: Lookups, client_address: str, helo: str, envelope_sender: str) -> SpfResult:
    """Check a client (an IP address) against the policy of the sender's domain; a null sender (``""``) asks HELO's."""
    identity: Literal["mailfrom", "helo"] = "mailfrom" if envelope_sender else "helo"
    local, _, domain = envelope_sender.rpartition("@") if envelope_sender else ("", "", helo)
    folded = _folded(domain)
    client = _client(client_address)
    if client is None or "." not in folded or len(local) > MAX_TEXT:
        return SpfResult(result="none", domain=folded, identity=identity)
    result, problem = _asked(lambda: _Query(lookups, client, helo[:MAX_TEXT], local or "postmaster", folded))
    return SpfResult(result=result, domain=folded, identity=identity, problem=problem)


def _asked(query: "Callable[[], _Query]") -> tuple[str, str]:
    try:
        result, _, text = query().check()
    except Exception as error:  # noqa: BLE001 - pyspf reads hostile records: whatever it raises, later is safe
        events.surprise("spf", error)
        return "temperror", "the record could not be judged"
    if result not in _WORDS:
        return "permerror", "the record could not be judged"
    return result, _printable(text) if result in {"permerror", "temperror"} else ""


def _printable(text: str) -> str:
    cut = text[:_MAX_PROBLEM]
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in cut)


def _folded(domain: str) -> str:
    try:
        folded = fold_domain(domain)
    except BadInput:
        return ""
    return "" if folded.startswith("[") else folded


def _client(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        return found.ipv4_mapped or IPv6Address(int(found))  # without the zone of a link-local address
    return found


class _Query(spf.query):  # type: ignore[misc]  # pyspf carries no types
    """pyspf's evaluation, with look-ups and bounds of ours."""

    def __init__(self, lookups: Lookups, client: IPv4Address | IPv6Address, helo: str, local: str, domain: str) -> None:
        super().__init__(i=str(client), s=f"{local}@{domain}", h=helo)
        self.l, self.o, self.d = local, domain, domain  # a quoted local part may hold an @
        self._ask: dict[str, Callable[[str], Sequence[Any]]] = {
            "A": lambda name: lookups.a(name)[:MAX_ADDRESSES],
            "AAAA": lambda name: lookups.aaaa(name)[:MAX_ADDRESSES],
            "MX": lookups.mx,
            "PTR": lookups.ptr,
            "TXT": lookups.txt,
        }

    def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[Any]:  # noqa: ARG002, FBT001, FBT002 - pyspf's signature
        """Ask, and count what had no answer (RFC 7208 4.6.4)."""
        name = name.removesuffix(".")
        if not all(0 < len(label) <= _MAX_LABEL for label in name.split(".")):
            return []  # what macros make of a sender: no name at all, so no question
        try:
            found = list(self._ask[qtype](name))
        except Trouble as trouble:
            raise spf.TempError(str(trouble)) from trouble
        if not found and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError(f"More than {spf.MAX_VOID_LOOKUPS} void lookups")
        return found

    def dns_txt(self, domainname: str, rr: str = "TXT", ignore_void: bool = False) -> list[bytes]:  # noqa: FBT001, FBT002 - pyspf's signature
        """Return the records, each in one piece as ``Lookups`` gives them."""
        return self.dns(domainname, rr, ignore_void=ignore_void)

    def validated_ptrs(self) -> list[str]:
        """Return the client's names that point back to it; those that can't be looked up are passed over (5.5).

        Where no other name is left that is trouble after all: the DNS's faults are not the sender's.
        """
        found: list[str] = []
        failed: Exception | None = None
        for name in self.dns_ptr(self.i)[: spf.MAX_PTR]:
            try:
                if self.cidrmatch(self.dns_a(name, self.A), self.cidrmax):
                    found.append(name)
            except spf.TempError as error:
                failed = error
        if failed and not found:
            raise failed
        return found

    def check0(self, spf_record: str | None, recursion: int) -> Any:
        """Judge one record, if it is of a size that can be."""
        if spf_record and (len(spf_record) > MAX_RECORD or any(len(term) > MAX_TERM for term in spf_record.split(" "))):
            raise spf.PermError("the record is too long")
        return super().check0(spf_record, recursion)

    def expand(self, s: str, stripdot: bool = True) -> str:  # noqa: FBT001, FBT002 - pyspf's signature
        """Expand macros; what is too long for a name loses labels from the left (RFC 7208 7.3), and not just one."""
        expanded: str = super().expand(s, stripdot)
        if len(expanded) <= _MAX_NAME:
            return expanded
        return expanded[-_MAX_NAME - 1 :].partition(".")[2]

    def get_explanation(self, spec: str) -> None:
        """Fetch nothing: nobody would read it."""
