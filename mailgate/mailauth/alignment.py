"""Whether two domains are of the same organisation (RFC 9989, DMARC; before it RFC 7489 3.1 and 3.2).

The organisational domain is the registered name below the longest public suffix, by the list of publicsuffix.org that
travels inside the package ``publicsuffixlist``: private suffixes (github.io) count as those of registries (co.uk)
do, and an unknown top level is a suffix of one label. Domains are compared as A-labels in lower case without the
root's dot, label by label, never as text: ``my-company.example`` is not of ``company.example``.

A public suffix is aligned with nothing, not even with itself: whoever signs as co.uk speaks for nobody below it, and
a name that belongs to all its customers is no proof of one.

Raises nothing: what is no domain is aligned with nothing. The first call reads the list, some 50 ms.
"""

from functools import cache
from typing import TYPE_CHECKING

from mailgate.domain.address import fold_domain
from mailgate.errors import BadInput

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


def organisational_domain(domain: str) -> str:
    """Return the organisational domain, folded; "" for a public suffix, an address literal, and what is no domain."""
    try:
        folded = fold_domain(domain)
    except BadInput:
        return ""
    return _registered(folded)


def aligned(author_domain: str, other_domain: str, *, strict: bool = False) -> bool:
    """Say whether a result for ``other_domain`` speaks for ``author_domain``; ``strict`` asks for the very same."""
    organisation = organisational_domain(author_domain)
    if not organisation or organisation != organisational_domain(other_domain):
        return False
    return not strict or same(author_domain, other_domain)


def same(domain: str, other: str) -> bool:
    """Say whether two spellings name the same domain."""
    try:
        return fold_domain(domain) == fold_domain(other)
    except BadInput:
        return False


def within(domain: str, above: str) -> bool:
    """Say whether a folded domain is ``above`` or lies below it."""
    return domain == above or domain.endswith(f".{above}")


def _registered(folded: str) -> str:
    if folded.startswith("["):
        return ""
    return _suffixes().privatesuffix(folded) or ""


@cache
def _suffixes() -> "PublicSuffixList":
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - only who compares domains pays for the list

    return PublicSuffixList()
