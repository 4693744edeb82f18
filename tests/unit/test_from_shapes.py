"""Odd From fields against each kind of trust: in no cell is a mail kept for a user who didn't send it.

Whoever sends here owns attack.test and does all of that right: the envelope sender, the login, SPF, signature and
DMARC of attack.test pass. He is a user too, so a mail may be kept as his own, never as one of legit.test.
"""

from base64 import b64encode
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

import pytest

from mailgate.domain.ledger import Verdict
from mailgate.domain.mail import Addressee, Delivery, Envelope
from mailgate.domain.proof import Authorship, Evidence
from mailgate.domain.record import AddressState
from mailgate.domain.trust import Client, Relay, Stamp, Trust
from mailgate.domain.user import Language, User
from mailgate.intake import Intake, Policy
from mailgate.mailauth import sealing, stamping, verifying
from mailgate.mailauth.canonical import Message
from tests import signing
from tests.dns_server import FakeLookups
from tests.fakes import FakeArchive, FakeDirectory
from tests.worlds import CAMPAIGN, DOMAIN, NOW, WORLD

ATTACKERS = frozenset(f"{name}@attack.test" for name in ("x", "a", "any", "first", "second"))
VICTIMS = frozenset(f"{name}@legit.test" for name in ("admin", "b"))
USERS = tuple(User(email=email, name="N", language=Language.DE) for email in sorted(ATTACKERS | VICTIMS))
SENDER = "x@attack.test"
HIS = Client(IPv4Address("192.0.2.66"), "mail.attack.test")
HERS = Client(IPv4Address("192.0.2.7"), "mail.legit.test")

KEY = signing.rsa()
ZONES = {
    domain: [f"TXT v=spf1 ip4:{client.address} -all"] for domain, client in (("attack.test", HIS), ("legit.test", HERS))
} | {
    name: [line]
    for domain in ("attack.test", "legit.test", "list.example")
    for name, line in (
        (f"_dmarc.{domain}", "TXT v=DMARC1; p=reject"),
        (f"{signing.SELECTOR}._domainkey.{domain}", ("TXT", KEY.record)),
    )
}


class Authenticator:
    """``ports.Authenticator``: the real rules, over a DNS in memory."""

    def examine(self, said: Authorship) -> Evidence:
        if said.relay.trust is Trust.STAMPED:
            return stamping.examine(said, self._chain)
        return verifying.examine(said, FakeLookups(ZONES), signing.NOW)

    def _chain(self, said: Authorship) -> Evidence:
        return sealing.examine(said, Message(said.fields, said.raw), FakeLookups(ZONES), signing.NOW)


# -- the columns: each kind of trust, and what the relay puts on top --------------------------------------------------

ID = "mx.relay.test"
HOP = b"Received: from pc (pc.test [192.0.2.7])%s by mx.relay.test (Postfix) with ESMTPSA id 4bKxyz; Sun, 22 Nov 2026"
SAID = b"dkim=pass header.d=%s; spf=pass smtp.mailfrom=%s; dmarc=pass header.from=%s"
FORGED = b"dkim=pass header.d=legit.test; dmarc=pass header.from=legit.test; auth=pass smtp.auth=%s"


@dataclass(frozen=True)
class Column:
    """One relay. ``top`` makes the fields that it puts over a mail that came from this sender."""

    relay: Relay

    def top(self, sender: str) -> list[bytes]:
        hop = HOP % (f" (Authenticated sender: {sender})".encode() if self.relay.login else b"")
        domain = sender.rpartition("@")[2].encode()
        said = SAID % (domain, sender.encode(), domain)
        name = f"{ID}; ".encode() if self.relay.authserv_id else b""
        stamp = b"Authentication-Results: " + name + said
        if self.relay.trust is not Trust.STAMPED or self.relay.sealers:
            return [hop]
        if not self.relay.received:
            return [stamp]
        return [stamp, hop] if self.relay.stamp is Stamp.ABOVE else [hop, stamp]

    def kept_as(self, lines: bytes, sender: str, client: Client) -> str | None:
        """Send a mail with these lines of a header; name its recorder, or ``None`` where it isn't kept."""
        archive = FakeArchive()
        directory = FakeDirectory(replace(WORLD, users=USERS))
        intake = Intake(directory, archive, Authenticator(), Policy(domain=DOMAIN, relays=(self.relay,)), lambda: NOW)
        to = Addressee(recipient="r", address=f"aaaa@{DOMAIN}", record=CAMPAIGN, state=AddressState.OPEN)
        envelope = Envelope(relay=self.relay, sender=sender, addressees=(to,), client=client)
        mail = lines + b"\r\nTo: one@kunde.test\r\nSubject: Offerte\r\n\r\nGuten Tag\r\n"
        raw = b"".join(line + b"\r\n" for line in self.top(sender)) + self._shown(mail, lines, sender)
        (outcome,) = intake.receive(Delivery(envelope=envelope, raw=raw, received_at=NOW))
        recorder = next((one.new.recorder for one in archive.activities.values()), None)
        assert (recorder is not None) is (outcome.verdict is Verdict.KEPT)
        return recorder

    def _shown(self, mail: bytes, lines: bytes, sender: str) -> bytes:
        """Sign it as the sender's server does, or seal it as a list that says what it found of the sender."""
        domain = sender.rpartition("@")[2]
        if not _is_header(lines):
            return mail
        if self.relay.sealers:
            said = SAID % (domain.encode(), sender.encode(), domain.encode())
            return signing.seal(mail, KEY, said.decode())
        return signing.sign(mail, KEY, {"d": domain}) if self.relay.trust is Trust.VERIFIED else mail


def _is_header(lines: bytes) -> bool:
    """Say whether a signer takes these lines at all."""
    return all(b":" in line and line[:1] not in b" \t" for line in lines.split(b"\r\n")) and b"\0" not in lines


STAMPED = Relay(name="r", trust=Trust.STAMPED, authserv_id=ID)
COLUMNS = {
    "vouched": Column(Relay(name="r")),
    "vouched by login": Column(Relay(name="r", login=True)),
    "vouched by login alone": Column(Relay(name="r", login=True, envelope_must_match=False)),
    "stamped above": Column(STAMPED),
    "stamped below": Column(replace(STAMPED, stamp=Stamp.BELOW)),
    "stamped, a sample": Column(replace(STAMPED, received=0)),
    "stamped by Microsoft": Column(replace(STAMPED, authserv_id="", stamp=Stamp.BELOW)),
    "sealed": Column(replace(STAMPED, sealers=frozenset({"list.example"}))),
    "verified": Column(Relay(name="r", trust=Trust.VERIFIED)),
    "verified, and sealed": Column(Relay(name="r", trust=Trust.VERIFIED, sealers=frozenset({"list.example"}))),
}

# -- the rows: what stands where From should --------------------------------------------------------------------------


def _encoded(text: str) -> bytes:
    return b"=?utf-8?B?" + b64encode(text.encode()) + b"?="


HER = b"b@legit.test"
SHAPES: dict[str, bytes] = {
    "her bare address": b"From: b@legit.test",
    "two From fields, hers second": b"From: <a@attack.test>\r\nFrom: <b@legit.test>",
    "two From fields, hers first": b"From: <b@legit.test>\r\nFrom: <a@attack.test>",
    "two From fields in other case": b"From: <a@attack.test>\r\nFROM: <b@legit.test>",
    "a space before the colon": b"From : <b@legit.test>",
    "a normal From, then one with a space": b"From: first@attack.test\r\nFrom : admin@legit.test",
    "one with a space, then a normal From": b"From : admin@legit.test\r\nFrom: first@attack.test",
    "a folded name": b"From\r\n : <b@legit.test>",
    "a folded name, and a normal From": b"From\r\n : <b@legit.test>\r\nFrom: <a@attack.test>",
    "a normal From, and a folded name": b"From: <a@attack.test>\r\nFrom\r\n : <b@legit.test>",
    "white space first": b" From: <b@legit.test>\r\nFrom: <a@attack.test>",
    "white space first, the other way round": b" From: <a@attack.test>\r\nFrom: <b@legit.test>",
    "two mailboxes": b"From: <a@attack.test>, <b@legit.test>\r\nSender: <a@attack.test>",
    "two mailboxes, hers first": b"From: <b@legit.test>, <a@attack.test>\r\nSender: <b@legit.test>",
    "an address as unquoted name": b"From: b@legit.test <a@attack.test>",
    "an address as unquoted name, the other way round": b"From: a@attack.test <b@legit.test>",
    "admin as unquoted name": b"From: admin@legit.test <x@attack.test>",
    "an encoded mailbox": b"From: " + _encoded("<b@legit.test>"),
    "an encoded mailbox before another": b"From: " + _encoded("<b@legit.test>") + b", <a@attack.test>",
    "an encoded mailbox and a second, unspaced": b"From: " + _encoded("<admin@legit.test>") + b",<second@attack.test>",
    "an encoded @": b"From: <=?utf-8?q?=40attack.test?=@legit.test>",
    "an encoded local part": b"From: <" + _encoded("b@legit.test") + b"@attack.test>",
    "an encoded quote": b"From: =?utf-8?q?=22?= <b@legit.test> =?utf-8?q?=22?= <a@attack.test>",
    "a source route": b"From: <@attack.test,@any.test:admin@legit.test>",
    "a source route to b": b"From: <@attack.test,@x.test:b@legit.test>",
    "an escaped comma": b"From: <admin@legit.test>\\,<second@attack.test>",
    "text behind the angle": b"From: <any@attack.test>admin@legit.test",
    "two angles": b"From: <any@attack.test> <admin@legit.test>",
    "an address as quoted name": b'From: "admin@legit.test" <x@attack.test>',
    "an address as encoded name": b"From: " + _encoded("admin@legit.test") + b" <x@attack.test>",
    "a NUL": b"From: <admin@legit.test>\0@attack.test",
    "a NUL behind hers": b"From: <b@legit.test\0.attack.test>",
    "two @": b"From: <admin@legit.test@attack.test>",
    "two @, hers last": b"From: <a@attack.test@legit.test>",
    "a comment between": b"From: b@legit.test (x) <a@attack.test>",
    "a comment that doesn't end": b"From: b@legit.test(.attack.test",
    "a comment in the domain": b"From: user@legit.test (x).attack.test",
    "comments, 900 deep": b"From: b@legit.test " + b"(" * 900 + b")" * 900,
    "a comment before": b"From: (a@attack.test) b@legit.test",
    "an address in a comment": b"From: x@attack.test (b@legit.test)",
    "a quoted local part": b'From: "b@legit.test"@attack.test',
    "a quoted local part with a quote": b'From: "a\\"@legit.test"@attack.test',
    "no From": b"X-From: <b@legit.test>",
    "no From, but others": b"Sender: <b@legit.test>\r\nReply-To: <b@legit.test>\r\nResent-From: <b@legit.test>",
    "an empty From": b"From:\r\nSender: <b@legit.test>",
    "an empty group": b"From: undisclosed:;\r\nSender: <b@legit.test>",
    "a group": b"From: G: admin@legit.test, x@attack.test;",
    "a group of her": b"From: G: b@legit.test;",
    "a vertical tab": b"From: <b@legit.test\x0b>",
    "a byte of no charset": b"From: <b\xff@legit.test>",
    "right to left": "From: \u202etset.tigel@b\u202c <x@attack.test>".encode(),
    "right to left in the address": "From: <b@legit.test\u202e>".encode(),
    "zero width in the address": "From: <b@le\u200bgit.test>".encode(),
    "a domain that looks alike": "From: <b@l\u0435git.test>".encode(),
    "its A-label": b"From: <b@xn--lgit-f9d.test>",
    "a subdomain of the attacker's": b"From: <b@legit.test.attack.test>",
    "other case": b"From: <B@LEGIT.test>",
    "the root's dot": b"From: <b@legit.test.>",
    "a domain without its dot": b"From: <b@legittest>",
    "a subdomain of hers": b"From: <b@sub.legit.test>",
    "a mailbox's line": b"From b@legit.test Mon Jan  1 00:00:00 2026\r\nFrom: <a@attack.test>",
    "below garbage": b"garbage\r\nFrom: <b@legit.test>",
    "From in the name of another field": b"X: y\r\nFr\x00om: <b@legit.test>\r\nFrom: <a@attack.test>",
    "twenty thousand quotes": b'From: "' + b'"' * 20_000 + b" <b@legit.test>",
}


def _below(shape: bytes) -> bytes:
    """Put what a forger adds of his own above the odd From: results, a login, and ARC, all in her name."""
    return b"\r\n".join(
        [
            f"Authentication-Results: {ID}; ".encode() + FORGED % HER,
            b"Authentication-Results: " + FORGED % HER,
            HOP % b" (Authenticated sender: b@legit.test)",
            f"ARC-Authentication-Results: i=1; {ID}; ".encode() + FORGED % HER,
            f"Authentication-Results: {ID}; ".encode() + FORGED % HER,
            shape,
        ]
    )


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS.keys())
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_no_mail_is_kept_for_a_user_who_did_not_send_it(shape: bytes, column: Column) -> None:
    for sender in (SENDER, "a@attack.test"):
        for lines in (shape, _below(shape)):
            assert column.kept_as(lines, sender, HIS) in {None, *ATTACKERS}


HONEST: dict[str, bytes] = {
    "bare": b"From: b@legit.test",
    "in angles": b"From: <b@legit.test>",
    "with a name": b'From: "Muster, Bea" <b@legit.test>',
    "with an encoded name": b"From: " + _encoded("B\u00e9a") + b" <b@legit.test>",
    "with itself as a name": b"From: b@legit.test <b@legit.test>",
    "with somebody else's address as quoted name": b'From: "admin@legit.test" <b@legit.test>',
    "with a comment": b"From: b@legit.test (Bea)",
    "in capitals": b"FROM: <B@LEGIT.TEST>",
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS.keys())
@pytest.mark.parametrize("shape", HONEST.values(), ids=HONEST.keys())
def test_a_mail_of_her_own_is_kept_as_hers(shape: bytes, column: Column) -> None:
    assert column.kept_as(shape, "b@legit.test", HERS) == "b@legit.test"
    # a field of ARC too many breaks a chain, whoever put it there
    broken = column is COLUMNS["sealed"]
    assert column.kept_as(_below(shape), "b@legit.test", HERS) == (None if broken else "b@legit.test")


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS.keys())
def test_what_he_writes_as_himself_is_kept_as_his(column: Column) -> None:
    assert column.kept_as(b'From: "admin@legit.test" <x@attack.test>', SENDER, HIS) == SENDER
