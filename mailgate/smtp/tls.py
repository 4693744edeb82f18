"""The certificate of STARTTLS, read anew on SIGHUP.

Refuses, with ``Misconfigured`` at start, a certificate or key that can't be read or that don't belong together. A new
one that is broken later changes nothing: the old one stays, and the log says so. Connections keep the certificate
they began with. TLS 1.2 at least.

With an authority for them (``smtp.tls_client_ca``) clients are asked for a certificate, and may have none. One that
doesn't verify fails the handshake. Its names are the DNS names among its subjectAltNames, compared as they stand: the
subject's common name is none, and a wildcard is nobody's name.
"""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mailgate import events
from mailgate.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """``smtp.tls_cert`` (PEM, with the chain) and ``smtp.tls_key`` (PEM, without a passphrase).

    ``client_ca`` is ``smtp.tls_client_ca`` (PEM) where clients are to be asked for certificates.
    """

    cert: Path
    key: Path
    client_ca: Path | None = None


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
    named = (("smtp.tls_cert", files.cert), ("smtp.tls_key", files.key), ("smtp.tls_client_ca", files.client_ca))
    for key, path in named:
        if path is None:
            continue
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
    if files.client_ca:
        _ask_clients(context, files.client_ca)
    return context


def _ask_clients(context: ssl.SSLContext, authorities: Path) -> None:
    context.verify_mode = ssl.CERT_OPTIONAL
    try:
        context.load_verify_locations(authorities)
    except (ssl.SSLError, ValueError) as error:
        raise Misconfigured(f"smtp.tls_client_ca: {authorities} holds no certificate of an authority (PEM).") from error
    if not context.get_ca_certs():
        raise Misconfigured(f"smtp.tls_client_ca: {authorities} holds no certificate of an authority (PEM).")


def names_shown(ssl_object: ssl.SSLObject) -> frozenset[str]:
    """Give the DNS names, folded, of the certificate that the client showed and that was verified, if any."""
    shown = ssl_object.getpeercert()
    names: Iterable[tuple[str, str]] = shown.get("subjectAltName", ()) if shown else ()  # type: ignore[assignment]  # typeshed says str for every value
    return frozenset(name.lower().removesuffix(".") for kind, name in names if kind == "DNS")
