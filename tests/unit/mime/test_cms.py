import base64
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.mime import cms
from mailgate.mime.bodies import File, Piece
from mailgate.mime.cms import Kind
from tests.unit.mime import envelopes

MIME = b"Content-Type: text/plain\r\n\r\nThe crane comes on Tuesday.\r\n" * 9
DER = envelopes.signed(envelopes.whole(MIME))
BER = envelopes.signed_open(envelopes.in_pieces(MIME))
PEM = b"-----BEGIN PKCS7-----\n" + base64.encodebytes(DER) + b"-----END PKCS7-----\n"


def deep(depth: int) -> bytes:
    string = envelopes.whole(MIME)
    for _ in range(depth):
        string = envelopes.left_open(0x24, string)
    return envelopes.signed_open(string)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (DER, MIME),
        (BER, MIME),
        (envelopes.signed(envelopes.in_pieces(MIME)), MIME),
        (envelopes.signed(envelopes.value(0x24, envelopes.whole(MIME[:9]), envelopes.whole(MIME[9:]))), MIME),
        (
            envelopes.signed(envelopes.left_open(0x24, envelopes.in_pieces(MIME[:9]), envelopes.whole(MIME[9:]))),
            MIME,
        ),
        (
            envelopes.signed(
                envelopes.value(0x24, envelopes.value(0x24, envelopes.whole(MIME)), envelopes.whole(b"x"))
            ),
            MIME + b"x",
        ),
        (deep(16), MIME),
        (envelopes.signed(envelopes.whole(b"")), b""),
        (envelopes.signed_open(envelopes.left_open(0x24)), b""),
        (DER + b"\r\n\r\n", MIME),
        (PEM, MIME),
        (b"\n" + PEM.replace(b"\n", b"\r\n"), MIME),
        (base64.encodebytes(DER), MIME),
        (base64.encodebytes(BER), MIME),
    ],
)
def test_signed_content_comes_out_however_it_is_written(octets: bytes, expected: bytes) -> None:
    assert cms.content(octets) == expected


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"0",
        b"\x30\x80",
        b"just some words",
        envelopes.signed(None),
        envelopes.signed_open(None),
        envelopes.other(envelopes.ENVELOPED),
        envelopes.signed(envelopes.value(0x24, envelopes.value(0x02, b"\1"))),
        envelopes.signed(envelopes.value(0x30, MIME)),
        envelopes.signed(b"\x24\x05\x04\x20" + MIME),
        envelopes.signed(envelopes.value(0x24, b"\0\0")),
        deep(17),
        b"\x30\x89" + b"\1" * 20,
        b"\x3f" * 40,
    ],
)
def test_where_there_is_no_signed_content_there_is_none(octets: bytes) -> None:
    assert cms.content(octets) is None


@pytest.mark.parametrize("octets", [DER, BER, PEM])
def test_a_truncated_envelope_gives_all_of_its_content_or_nothing(octets: bytes) -> None:
    assert {cms.content(octets[:end]) for end in range(len(octets))} <= {None, MIME}


@pytest.mark.parametrize("octets", [DER, BER])
def test_every_octet_may_be_another_one(octets: bytes) -> None:
    for at in range(len(octets)):
        for other in (0x00, 0x80, 0xFF, octets[at] ^ 1):
            found = cms.content(octets[:at] + bytes([other]) + octets[at + 1 :])
            assert found is None or len(found) <= len(octets)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_octets_are_looked_at(octets: bytes) -> None:
    assert cms.content(octets) is None or octets
    head = DER[:15]
    assert cms.content(head + octets) is None or len(octets) > 10


@pytest.mark.parametrize(
    "octets",
    [
        b"\x30\x80" * 2_000_000,
        BER[:40] + b"\x24\x80" * 2_000_000,
        envelopes.signed_open(b"\x24\x80" + b"\x04\x00" * 5_000_000 + b"\0\0"),
        envelopes.signed_open(b"\x24\x80" + b"\x04\x01a" * 300_000 + b"\0\0"),
        b"\x30\x80" + envelopes.oid(envelopes.SIGNED) + b"\xa0\x80\x30\x80\2\1\1" + b"\x31\x80" * 5_000_000,
        b"-----BEGIN PKCS7-----" * 500_000,
        b"MIAA" * 2_500_000,
        b" " * 10_000_000,
    ],
)
def test_hostile_shapes_cost_no_more_than_their_octets(octets: bytes) -> None:
    started = time.monotonic()
    cms.content(octets)
    assert time.monotonic() - started < 20  # less than a second


class Declared:
    """A document with a smime-type."""

    def __init__(self, content: bytes, smime_type: str) -> None:
        self.media, self.name, self.content, self.content_id = "application/pkcs7-mime", "smime.p7m", content, ""
        self._smime_type = smime_type

    def parameter(self, name: str) -> str:
        return self._smime_type if name == "smime-type" else ""


P7M = ("application/pkcs7-mime", "smime.p7m")


@pytest.mark.parametrize(
    ("piece", "kind"),
    [
        (File(*P7M, DER), Kind.SIGNED),
        (File("application/x-pkcs7-mime", "", BER), Kind.SIGNED),
        (File("application/octet-stream", "smime.p7m", DER), Kind.SIGNED),
        (File("application/octet-stream", "SMIME.P7M", PEM), Kind.SIGNED),
        (File(*P7M, envelopes.signed(None)), Kind.CERTIFICATES),
        (File(*P7M, envelopes.other(envelopes.ENVELOPED)), Kind.ENCRYPTED),
        (File(*P7M, envelopes.other(envelopes.ENCRYPTED)), Kind.ENCRYPTED),
        (File(*P7M, envelopes.other(envelopes.AUTH_ENVELOPED)), Kind.ENCRYPTED),
        (File(*P7M, envelopes.other(envelopes.COMPRESSED)), Kind.COMPRESSED),
        (File(*P7M, envelopes.other("2a0304")), Kind.OTHER),
        (File(*P7M, b"no envelope"), Kind.OTHER),
        (File("application/x-smime", "smime.p7m", DER), Kind.SIGNED),
        (File("application/octet-stream", "invoice.xml.p7m", DER), Kind.SIGNED),
        (File("application/pdf", "offer.p7m", DER), Kind.OTHER),
        (File("application/pdf", "smime.p7m", b"%PDF-1.7"), Kind.OTHER),
        (File("application/octet-stream", "smime.p7s", DER), Kind.OTHER),
        (Declared(DER, "enveloped-data"), Kind.SIGNED),
        (Declared(envelopes.other(envelopes.ENVELOPED), "signed-data"), Kind.ENCRYPTED),
        (Declared(b"broken", "enveloped-data"), Kind.ENCRYPTED),
        (Declared(b"broken", "authEnveloped-data"), Kind.ENCRYPTED),
        (Declared(b"broken", "signed-data"), Kind.OTHER),
    ],
)
def test_an_envelope_is_what_it_says_in_itself(piece: Piece, kind: Kind) -> None:
    assert cms.kind(piece) is kind
    assert cms.is_signed(piece) is (kind is Kind.SIGNED)
