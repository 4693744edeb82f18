"""How long our own verification of a signed mail takes: DKIM, SPF and DMARC with answers from the memory of the DNS.

    python -m tests.benchmarks verification

Mails of 36 kB and of 5 MB with one RSA-2048 signature, in turn over the relaxed and the simple form of the body, handed
to the ``Authenticator`` as the path does, with their header split. A name server on loopback gave it the answers before
the first one that counts. ``BENCH_VERIFICATIONS`` runs (100; 0 leaves the rows out).
"""

import os
import statistics
import time
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from mailgate.domain.header import split
from mailgate.domain.proof import Authorship
from mailgate.domain.trust import Client, Relay, Trust
from mailgate.mailauth.authenticator import Authenticator
from tests.benchmarks.figures import Row, Unmeasurable
from tests.dns_server import Zones, dns_server
from tests.signing import SELECTOR, rsa, sign

RUNS = int(os.environ.get("BENCH_VERIFICATIONS", "100"))
SIZES = {"36 kB": (36_000, 3.0), "5 MB": (5_000_000, 80.0)}  # bytes, and the aim in milliseconds
AUTHOR = "anna@legit.example"
RELAY = Relay(name="internet", networks=(ip_network("0.0.0.0/0"),), trust=Trust.VERIFIED)
CLIENT = Client(ip_address("192.0.2.1"), "mail.legit.example")
ZONES: Zones = {
    f"{SELECTOR}._domainkey.legit.example": [("TXT", rsa().record)],
    "_dmarc.legit.example": ["TXT v=DMARC1; p=reject"],
    "legit.example": ["TXT v=spf1 ip4:192.0.2.0/24 -all"],
}
FIELDS = (b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type")


def mail(size: int, form: str) -> Authorship:
    """Make a signed mail: text with single and double spaces, then lines as those of an encoded attachment."""
    header = (
        f"From: Anna Muster <{AUTHOR}>\r\nTo: Paul <paul@customer.example>\r\nSubject: Offer\r\n"
        "Date: Mon, 5 Jan 2026 10:00:00 +0100\r\nMessage-ID: <1@legit.example>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    ).encode()
    text = b"Dear  Paul, please find below what we talked about. \r\n" * (size // 5 // 54)
    lines = b"UmFuZG9tIGJ5dGVzIGxvb2sgbGlrZSB0aGlzIG9uY2UgdGhleSBhcmUgZW5jb2RlZCBpbiBhIG1h\r\n"
    body = text + lines * ((size - len(text)) // len(lines))
    raw = sign(header + body, rsa(), {"c": f"relaxed/{form}", "t": ""}, signed=FIELDS)
    return Authorship(relay=RELAY, client=CLIENT, author=AUTHOR, sender=AUTHOR, fields=split(raw), raw=raw)


def milliseconds(authenticator: Authenticator, size: int, runs: int) -> list[float]:
    """Verify such mails so many times, in turn over both forms; sorted."""
    mails = [mail(size, form) for form in ("relaxed", "simple")]
    taken = []
    for number in range(-len(mails), runs):  # those below 0 load what it takes
        said = mails[number % len(mails)]
        before = time.perf_counter()
        evidence = authenticator.examine(said)
        taken.append((time.perf_counter() - before) * 1000)
        if not evidence.believed:
            raise SystemExit(f"an honest mail of {size} bytes was not believed")
    return sorted(taken[len(mails) :])


def rows() -> Iterator[Row]:
    """Measure a row for each size."""
    if not RUNS:
        raise Unmeasurable("BENCH_VERIFICATIONS is 0")
    with dns_server(ZONES) as server:
        authenticator = Authenticator((server.address,))
        for name, (size, aim) in SIZES.items():
            taken = milliseconds(authenticator, size, RUNS)
            yield Row(
                part="verification",
                work=f"{name}, one RSA-2048 signature",
                on="mailgate",
                unit="ms",
                value=statistics.median(taken),
                aim=aim,
                beside={"nine of ten ms": taken[int(len(taken) * 0.9)]},
            )
