"""The internet, as a company's mail server meets it: who writes, in whose name, and what they forge.

``HONEST`` and ``FORGED`` are the rows of the tests of ``stamped`` and ``verified``: whatever does the proving, the
first are kept as their author's and the others are not.
"""

import smtplib
from dataclasses import dataclass

from tests.acceptance.signing import Signer

ANNA = "anna@muster.example"  # her domain signs, names its servers by SPF, and asks for nothing by DMARC
BEAT = "beat@streng.example"  # his is the same, and asks by DMARC that what doesn't pass be refused
CLEO = "cleo@ohne.example"  # hers names its servers by SPF, has no DMARC record and signs nothing
EVE = "eve@evil.example"  # no user; her domain signs and passes SPF as well as the others
USERS = (ANNA, BEAT, CLEO)

# servers in the documentation networks, and on loopback for a Postfix that binds such an address
OURS, EVILS = "203.0.113.7", "198.51.100.66"
OURS_HERE, EVILS_HERE = "127.0.0.7", "127.0.0.66"

GATEWAY = "mx.example"
SIGNING = ("muster.example", "streng.example", "evil.example")
POLICIES = {"muster.example": "none", "streng.example": "reject", "evil.example": "none"}


@dataclass(frozen=True)
class Said:
    """A mail from outside: what is claimed, and by whom."""

    author: str = ANNA
    sender: str = ANNA
    client: str = EVILS
    signed_by: str = ""  # a domain
    identity: str = ""  # what the signature names its signer by (i=), as it stands there
    on_top: bytes = b""  # fields that the sender put above all others
    torn: bool = False  # the body was changed after it was signed

    def mail(self, keys: dict[str, Signer], message_id: str) -> bytes:
        """Write the mail as its sender does."""
        text = (
            f"From: A Colleague <{self.author}>\r\nTo: Kunde <kunde@kunde.example>\r\nSubject: Angebot\r\n"
            f"Date: Mon, 02 Nov 2026 10:00:00 +0100\r\nMessage-ID: {message_id}\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=us-ascii\r\n\r\nGuten Tag\r\n"
        ).encode()
        signed = keys[self.signed_by].sign(text, self.identity) if self.signed_by else text
        return self.on_top + (signed.replace(b"Guten Tag", b"Bitte zahlen") if self.torn else signed)


def zones(keys: dict[str, Signer]) -> dict[str, list[str]]:
    """Give what the DNS says about all these domains."""
    texts = {key.name: key.record for key in keys.values()}
    texts |= {f"_dmarc.{domain}": f"v=DMARC1; p={policy}" for domain, policy in POLICIES.items()}
    for domain in ("muster.example", "streng.example", "ohne.example"):
        texts[domain] = f"v=spf1 ip4:{OURS} ip4:{OURS_HERE} -all"
    texts["evil.example"] = f"v=spf1 ip4:{EVILS} ip4:{EVILS_HERE} -all"
    return {name: [f"TXT {text}"] for name, text in texts.items()}


def hand_over(port: int, client: str, sender: str, recipient: str, mail: bytes) -> None:
    """Speak SMTP with a Postfix as the server at this address of the internet (XCLIENT tells Postfix so)."""
    with smtplib.SMTP("127.0.0.1", port) as session:
        session.ehlo()
        code, answer = session.docmd("XCLIENT", f"ADDR={client} NAME=mta.test HELO=mta.test")
        assert code == 220, answer
        session.ehlo("mta.test")
        session.sendmail(sender, [recipient], mail)


def claims(times: int = 1, *, by: str = GATEWAY, domain: str = "muster.example") -> bytes:
    """Write results that nobody found."""
    found = f"dkim=pass header.d={domain} header.i=@{domain}; spf=pass smtp.mailfrom={domain}; dmarc=pass"
    return f"Authentication-Results: {by};\r\n\t{found} header.from={domain}\r\n".encode() * times


def received(by: str = GATEWAY) -> bytes:
    """Write a Received field as the gateway writes its own."""
    return (
        f"Received: from mta.test (mta.test [{OURS}])\r\n\tby {by} (Postfix) with ESMTP id 4F2A1B3C4D\r\n"
        "\tfor <someone@log.muster.example>; Mon, 02 Nov 2026 10:00:01 +0100 (CET)\r\n"
    ).encode()


SEALED = (
    f"ARC-Seal: i=1; a=rsa-sha256; t=1793610000; cv=none; d={GATEWAY}; s=brief; b=AAAA\r\n"
    f"ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d={GATEWAY}; s=brief; h=from; bh=AAAA; b=AAAA\r\n"
    f"ARC-Authentication-Results: i=1; {GATEWAY}; dmarc=pass header.from=muster.example\r\n"
).encode()
ODDLY_WRITTEN = (
    f"authentication-results:  (a comment; {GATEWAY};) {GATEWAY} 1 ;\r\n dmarc (x) = (y) pass\r\n"
    " header . from = muster.example\r\n"
).encode()

HONEST = {
    "signed": Said(signed_by="muster.example", client=OURS),
    "signed, passed on by another server": Said(signed_by="muster.example", sender="liste@evil.example"),
    "signed, of a strict domain": Said(author=BEAT, sender=BEAT, signed_by="streng.example", client=OURS),
    "signed, below forged results": Said(signed_by="muster.example", on_top=claims(2)),
    "signed, below a forged failure": Said(
        signed_by="muster.example", on_top=claims().replace(b"pass", b"fail"), client=OURS
    ),
}
# what a domain's own server sends without a signature; only who looks at SPF and DMARC can know
HONEST_BY_SPF = {
    "not signed, from its domain's server": Said(client=OURS),
    "not signed, from a strict domain's server": Said(author=BEAT, sender=BEAT, client=OURS),
}
FORGED = {
    "nothing but a From": Said(sender=EVE),
    "a From and the envelope sender": Said(),
    "a strict domain's From": Said(author=BEAT, sender=EVE),
    "signed by another domain": Said(sender=EVE, signed_by="evil.example"),
    "changed after it was signed": Said(sender=EVE, signed_by="muster.example", torn=True),
    "SPF without DMARC": Said(author=CLEO, sender=CLEO, client=OURS),
    "forged results": Said(sender=EVE, on_top=claims()),
    "forged results, twice": Said(sender=EVE, on_top=claims(2)),
    "forged results, forty times": Said(sender=EVE, on_top=claims(40)),
    "forged results for a domain without DMARC": Said(author=CLEO, sender=EVE, on_top=claims(domain="ohne.example")),
    "forged results and a signature of one's own": Said(sender=EVE, signed_by="evil.example", on_top=claims()),
    "results by another server": Said(sender=EVE, on_top=claims(by="mx.google.example")),
    "results by nobody": Said(sender=EVE, on_top=claims().replace(f" {GATEWAY};".encode(), b"")),
    "forged results above a forged Received": Said(sender=EVE, on_top=claims() + received()),
    "forged results below a forged Received": Said(sender=EVE, on_top=received() + claims()),
    "forged results among forged Received": Said(sender=EVE, on_top=(received() + claims()) * 20),
    "forged results, oddly written": Said(sender=EVE, on_top=ODDLY_WRITTEN),
    "a forged seal": Said(sender=EVE, on_top=SEALED),
    "results in what a signature names its signer by": Said(
        author=CLEO,
        sender=EVE,
        signed_by="evil.example",
        identity="x=3Bdmarc=3Dpass=20header.from=3Dohne.example=3B@evil.example",
    ),
    "a login in what a signature names its signer by": Said(
        sender=EVE,
        signed_by="evil.example",
        identity="x=3B=20auth=3Dpass=20smtp.auth=3Danna@muster.example=3B=20x@evil.example",
    ),
    "results in the envelope sender": Said(sender='"x; dmarc=pass header.from=muster.example; y"@evil.example'),
}
