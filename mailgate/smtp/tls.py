"""The certificate of STARTTLS, read anew on SIGHUP.

Refuses, with ``Misconfigured`` at start, a certificate or key that can't be read or that don't belong together. A new
one that is broken later changes nothing: the old one stays, and the log says so. Connections keep the certificate
they began with. TLS 1.2 at least; no client certificate is asked for.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from mailgate import events
from mailgate.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """``smtp.tls_cert`` (PEM, with the chain) and ``smtp.tls_key`` (PEM, without a passphrase)."""

    cert: Path
    key: Path


class Certificates:
    """The context that new TLS connections get."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self.context = _load(files)

    def reload(self) -> None:
        """Read the files again; keep what there is where they are broken."""
        try:
            self.context = _load(self._files)
        except Misconfigured as broken:
            events.advised(f"{broken} The certificate from before stays in use.")
            return
        events.reloaded("certificate")


def _load(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for key, path in (("smtp.tls_cert", files.cert), ("smtp.tls_key", files.key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise Misconfigured(
                f"{key}: {path} can't be read ({error.strerror}): name a file that this user can read."
            ) from error
    try:
        # without the empty password OpenSSL would ask for one at the terminal
        context.load_cert_chain(files.cert, files.key, password="")
    except (ssl.SSLError, ValueError) as error:
        raise Misconfigured(
            f"smtp.tls_cert, smtp.tls_key: {files.cert} and {files.key} are no certificate (PEM) with its key."
        ) from error
    return context
