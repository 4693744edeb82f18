"""A domain's DKIM key, made for one test run, and mail signed with it as a provider would."""

import subprocess
from dataclasses import dataclass

import dkim

SELECTOR = "brief"


@dataclass(frozen=True)
class Signer:
    """One domain's key: ``record`` stands in the DNS at ``name``."""

    domain: str
    private: bytes
    public: str

    @property
    def name(self) -> str:
        """Where the public key stands, without the final dot."""
        return f"{SELECTOR}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The text of the TXT record."""
        return f"v=DKIM1; k=rsa; p={self.public}"

    def sign(self, mail: bytes, identity: str = "") -> bytes:
        """Put a signature on top, with ``i=`` as given; headers may be reflowed on the way, the body may not."""
        field: bytes = dkim.sign(
            mail,
            SELECTOR.encode(),
            self.domain.encode(),
            self.private,
            identity=identity.encode() or None,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[b"from", b"to", b"subject", b"date", b"message-id"],
        )
        return field + mail


def signer(domain: str) -> Signer:
    """Make a key of 2048 bits."""
    private = _openssl("genrsa", "-traditional", "2048")
    pem = _openssl("rsa", "-pubout", stdin=private).decode()
    return Signer(domain, private, "".join(line for line in pem.splitlines() if not line.startswith("-----")))


def _openssl(*arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=True).stdout
