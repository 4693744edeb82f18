"""Where a link shows one address and goes to another.

That is: another host (``www.`` aside, and a domain and what is below it are one), another mailbox, or a user name in
front that poses as a host. The redirects of newsletters are such links too.

Limits: whether two domains are of one owner isn't looked up: two names below one domain are a mismatch. A domain
without ``www.`` or a scheme counts only where nothing else is shown, and if it ends as domains do (``ENDS``). Only what
stands within the first ``MAX_SHOWN`` letters counts. Raises nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from mailgate.domain import address
from mailgate.errors import BadInput
from mailgate.mime import text
from mailgate.mime.markup import elements as listed

MAX_SHOWN = 1000  # letters
MAX_TARGET = 8000

_INVISIBLE = re.compile("[\u00ad\u034f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_SHOWN_URL = re.compile(r"(?<![\w@./\\=&?%:+-])(?:https?:[/\\]*|(?=www\.))([^\s<>\"/\\?#]+)", re.IGNORECASE)
_SHOWN_MAILBOX = re.compile(r"(?:mailto:)?[^\s@<>\"/\\:,;()]{1,64}@[^\s@<>\"/\\:,;()?]{1,255}", re.IGNORECASE)
_SHOWN_DOMAIN = re.compile(
    r"((?:[\w-]{1,63}\.){1,20}(xn--[a-z0-9-]{1,59}|[^\W\d_]{2,24}))\.?(?::\d{1,5})?(?:[/?#]\S*)?"
)
_AROUND = " \t\n.,;:!?'\"()[]{}<>*_|\u00ab\u00bb\u2018-\u201f\u2039\u203a\u2190-\u21ff\u25b6\u27a1\u00bb"
# ends of domains that people write without "www."; those of two letters are countries, save some that files have
ENDS = listed(
    "aero agency app art asia bank bayern berlin bio biz blog brussels business care cat center cloud club"
    " coach codes com company consulting coop corp design dev digital edu email energy events example expert"
    " finance fun global gmbh gov group hamburg health help hotel immo info int invalid io jobs koeln legal"
    " life link live local localhost london ltd mail market marketing media mil mobi money museum name net"
    " network news nrw one online org paris partners photo photography pro property report reise reisen ruhr"
    " saarland sale school science services shop site social software solutions space store studio support"
    " swiss systems team tech test tips tirol today top tours trade training travel versicherung video vip"
    " website wien wiki work works world xyz zone zuerich"
)
_FILES = listed("db gz js md ps py sh ts")
_COUNTRY = 2  # letters


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What a link shows, and where it goes: hosts or mailboxes."""

    shown: str
    target: str


def find(shown: str, target: str) -> Mismatch | None:
    """Compare what a link shows with where it goes; ``None`` where it shows no address, or goes to that one."""
    seen = _INVISIBLE.sub("", shown[:MAX_SHOWN])
    bare = seen.strip(_AROUND)
    if _SHOWN_MAILBOX.fullmatch(bare):
        return _other_mailbox(re.sub("(?i)^mailto:", "", bare), target)
    for host in _shown_hosts(seen, bare):
        goes_to = _target_host(target)
        if goes_to and not _related(_folded(host), goes_to):
            return Mismatch(text.line(host, 255), text.line(goes_to, 255))
    return None


def _shown_hosts(seen: str, bare: str) -> Iterator[str]:
    for url in _SHOWN_URL.finditer(seen):
        # of a host behind a user name people see the user name
        name, _, host = url[1].rpartition("@")
        name = name.partition(":")[0]
        told = name if _SHOWN_DOMAIN.fullmatch(name) else host
        if "." in told and not told.endswith(("\u2026", "..")):
            yield told.rstrip(_AROUND)
    domain = _SHOWN_DOMAIN.fullmatch(bare)
    if domain and _ends_as_domain(domain[2].lower()):
        yield domain[1]


def _ends_as_domain(end: str) -> bool:
    return end in ENDS or end.startswith("xn--") or (len(end) == _COUNTRY and end.isascii() and end not in _FILES)


def _target_host(target: str) -> str:
    scheme, _, rest = target.partition(":")
    if scheme.strip().lower() == "mailto":
        return _folded(unquote(rest.partition("?")[0]).rpartition("@")[2])
    authority = re.split(r"[/\\?#]", rest.lstrip("/\\"), maxsplit=1)[0]
    return _folded(unquote(authority.rpartition("@")[2]))


def _folded(host: str) -> str:
    """Give all spellings of a host one: without port, root's dot and ``www.``, in A-labels."""
    bare = re.sub(r":\d{0,5}$", "", host[:300].strip(".,;:!?'\"()[]{} ")).rstrip(".")
    try:
        folded = address.fold_domain(bare)
    except BadInput:
        folded = bare.lower()
    return folded.removeprefix("www.")


def _related(one: str, other: str) -> bool:
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _other_mailbox(shown: str, target: str) -> Mismatch | None:
    scheme, _, rest = target.partition(":")
    host = _target_host(target)
    if scheme.strip().lower() != "mailto":
        same = not host or _related(_folded(shown.rpartition("@")[2]), host)
        return None if same else Mismatch(text.line(shown, 255), text.line(host, 255))
    to, _, query = rest.partition("?")
    named = re.findall(r"(?i)(?:^|&)to=([^&]{1,400})", query)
    mailboxes = [unquote(each).strip() for each in ",".join((to, *named))[:MAX_TARGET].split(",")]
    mailboxes = [each for each in mailboxes if each]
    if not mailboxes or _same(shown) in map(_same, mailboxes):
        return None
    return Mismatch(text.line(shown, 255), text.line(mailboxes[0], 255))


def _same(mailbox: str) -> str:
    found = re.search(r"<([^<>]{3,400})>\s*$", mailbox)
    try:
        return address.fold((found[1] if found else mailbox)[:400])
    except BadInput:
        return mailbox.lower()
