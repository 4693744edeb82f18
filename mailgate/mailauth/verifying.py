"""What we find out by ourselves about who wrote a mail: DKIM, SPF, DMARC and, for listed sealers, ARC.

From is proved by

    DKIM    a signature that passes (see ``signatures``) by the author's domain or another one of its organisation;
            by the very same where its DMARC record says ``adkim=s``
    DMARC   the same, and SPF: the envelope sender's domain passes, is aligned with the author's (``aspf``), and the
            organisation publishes a DMARC record. SPF without one proves nothing, and the name from EHLO never does
            SPF is asked about who sent the mail to the relay, never about the relay: with a client at one of the
            relay's own networks it says nothing, for a provider's servers, which the author's record names, hand over
            the mail of strangers too. A network as wide as ``INTERNET`` is no relay's own
    ARC     the same said by one of the relay's sealers, in a chain that holds (see ``arc`` and ``sealing``)

All of it is looked at, also behind the first proof: ``explain`` shows it. A look-up that failed makes the answer
unsure only where it was for the policy of the author's domain, or could have been a proof, and nothing else is one:
another stranger's broken name servers can't have a mail deferred for ever. Signatures of others come last, so that
they don't use up the mail's time either.

Raises nothing but what a bug raises.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from mailgate.domain.proof import Authorship, Evidence, Proof
from mailgate.domain.trust import Relay
from mailgate.mailauth import policy, sealing, signatures, spf
from mailgate.mailauth.alignment import aligned, same
from mailgate.mailauth.canonical import Message
from mailgate.mailauth.policy import Policy
from mailgate.mailauth.resolver import Lookups, Trouble
from mailgate.mailauth.signatures import Checked

INTERNET = {4: 8, 6: 16}  # by version, the longest prefix of a network that is no relay's own


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the author's domain wishes: its policy, none, or not known because a look-up failed."""

    author: str
    policy: Policy | None
    known: bool

    def covers(self, domain: str, *, by_spf: bool = False) -> bool | None:
        """Say whether a domain speaks for the author; ``None`` where the policy would have to be known."""
        if not aligned(self.author, domain):
            return False
        if not self.known:
            return True if same(self.author, domain) and not by_spf else None
        if self.policy is None:
            return not by_spf
        return self.policy.covers(
            self.author, domain, strict=self.policy.strict_spf if by_spf else self.policy.strict_dkim
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """A proof, and whether it may be another one once the DNS answers."""

    proof: Proof
    unsure: bool = False


def examine(said: Authorship, lookups: Lookups, now: float) -> Evidence:
    """Look at everything; ``now`` is Unix time."""
    message = Message(said.fields, said.raw)
    wish = _wish(said.author.rpartition("@")[2], lookups)
    own, others = signatures.read(message, wish.author)
    signed = [_signature(signatures.check(message, each, lookups, now), wish) for each in own]
    sent = _envelope(said, lookups)
    judged = [_spf(sent, said), _dmarc(signed, sent, wish)]
    sealed = sealing.examine(said, message, lookups, now) if said.relay.sealers else Evidence()
    signed += [_signature(signatures.check(message, each, lookups, now), wish) for each in others]
    found = [*signed, *_untried(message, len(signed)), *judged]
    proofs = (*(each.proof for each in found), *sealed.proofs)
    believed = any(proof.proves for proof in proofs)
    unsure = sealed.unsure or any(each.unsure for each in found)
    return Evidence(proofs=proofs, believed=believed, unsure=unsure and not believed)


def _wish(author: str, lookups: Lookups) -> _Wish:
    try:
        return _Wish(author, policy.find(lookups, author), known=True)
    except Trouble:
        return _Wish(author, None, known=False)


# -- DKIM -------------------------------------------------------------------------------------------------------------


def _untried(message: Message, tried: int) -> Iterator[_Found]:
    there = len(message.named(b"dkim-signature"))
    if not there:
        yield _Found(Proof(method="dkim", result="none", why="the mail carries no signature"))
    elif there > tried:
        why = f"{there - tried} more signatures were not tried"
        yield _Found(Proof(method="dkim", result="policy", why=why))


def _signature(each: Checked, wish: _Wish) -> _Found:
    covers = wish.covers(each.domain)
    why = each.why
    if each.passed and covers is None:
        why = "good, but whether the author's domain lets another name sign for it could not be looked up"
    elif each.passed and not covers:
        why = "good, but of a domain that does not speak for the author's"
    given = (("header.d", each.domain), ("header.s", each.selector), ("header.a", each.algorithm))
    proof = Proof(
        method="dkim",
        result=each.result,
        inputs=tuple((name, value) for name, value in given if value),
        proves=each.passed and covers is True,
        why=why,
    )
    open_question = (each.passed and covers is None) or (each.result == "temperror" and covers is not False)
    return _Found(proof, unsure=open_question)


# -- SPF and DMARC ----------------------------------------------------------------------------------------------------


def _envelope(said: Authorship, lookups: Lookups) -> spf.SpfResult | None:
    if said.client.address is None or _is_relay(said.relay, said.client.address):
        return None
    return spf.check(lookups, str(said.client.address), said.client.helo, said.sender)


def _is_relay(relay: Relay, client: IPv4Address | IPv6Address) -> bool:
    """Say whether the client is one of the relay's own servers, rather than who sent the mail to it."""
    plain = client.ipv4_mapped or client if isinstance(client, IPv6Address) else client
    return any(plain in network for network in relay.networks if network.prefixlen > INTERNET[network.version])


def _spf(sent: spf.SpfResult | None, said: Authorship) -> _Found:
    if sent is None:
        return _Found(Proof(method="spf", result="none", why="the relay did not say which server sent it the mail"))
    domain = ((f"smtp.{sent.identity}", sent.domain),) if sent.domain else ()
    inputs = (*domain, ("smtp.remote-ip", str(said.client.address)))
    why = sent.problem or "it speaks for the envelope sender, not for From"
    return _Found(Proof(method="spf", result=sent.result, inputs=inputs, why=why))


def _dmarc(signed: list[_Found], sent: spf.SpfResult | None, wish: _Wish) -> _Found:
    """Judge as DMARC does: one aligned pass is enough; where there is no record there is nothing to judge."""
    by_signature = any(each.proof.proves for each in signed)
    by_envelope, unsure = _aligned_envelope(sent, wish)
    proves = wish.policy is not None and (by_signature or by_envelope)
    if not wish.known:
        result, why = "temperror", "the policy of the author's domain could not be looked up"
    elif wish.policy is None:
        result, why = "none", "the author's domain publishes no policy"
    elif proves:
        result, why = "pass", ("a signature" if by_signature else "SPF") + " speaks for the author's domain"
    else:
        result, why = "fail", "neither a signature nor SPF speaks for the author's domain"
    proof = Proof(method="dmarc", result=result, inputs=_policy_inputs(wish), proves=proves, why=why)
    return _Found(proof, unsure=unsure or not wish.known)


def _aligned_envelope(sent: spf.SpfResult | None, wish: _Wish) -> tuple[bool, bool]:
    """Say whether SPF speaks for the author, and whether a failed look-up keeps us from knowing."""
    if sent is None or sent.identity != "mailfrom" or sent.result not in ("pass", "temperror"):
        return False, False
    covers = wish.covers(sent.domain, by_spf=True)
    proves = sent.result == "pass" and covers is True
    return proves, covers is not False and not proves


def _policy_inputs(wish: _Wish) -> tuple[tuple[str, str], ...]:
    given = (("header.from", wish.author),)
    if wish.policy is None:
        return given
    test = (("policy.t", "y"),) if wish.policy.testing else ()
    return (*given, ("policy.dmarc", wish.policy.wish), ("policy.at", wish.policy.at), *test)
