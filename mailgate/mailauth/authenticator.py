"""The ``Authenticator``: finds what shows who wrote a mail, of the one kind that its relay is registered with.

    stamped    what the relay wrote down (``stamping``), with ``sealers`` an ARC chain too (``sealing``)
    verified   our own look at DKIM, SPF, DMARC and ARC (``verifying``)

The resolver and whatever reads and verifies is loaded with the first mail that needs it: commands and relays of the
kind ``vouched`` do without. Safe in threads.
"""

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailgate import events
from mailgate.domain.proof import Authorship, Evidence, Proof
from mailgate.domain.trust import Trust

if TYPE_CHECKING:
    from mailgate.mailauth.resolver import Lookups, Resolver


class Authenticator:
    """``ports.Authenticator`` over these name servers (none: the system's); seconds for one question."""

    def __init__(self, servers: Sequence[str] = (), timeout_seconds: float = 5.0) -> None:
        self._servers = servers
        self._timeout = timeout_seconds
        self._resolver: Resolver | None = None
        self._lock = threading.Lock()

    def examine(self, said: Authorship) -> Evidence:
        """Look for proof; a bug of ours leaves us unsure."""
        try:
            return self._examine(said)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong here, later is safe and refusal is not
            events.surprise("authenticator", error)
            return Evidence(proofs=(Proof(method="stamp", result="temperror", why="a bug of ours"),), unsure=True)

    def _examine(self, said: Authorship) -> Evidence:
        match said.relay.trust:
            case Trust.STAMPED:
                from mailgate.mailauth import stamping  # noqa: PLC0415 - see the top

                return stamping.examine(said, self._chain)
            case Trust.VERIFIED:
                from mailgate.mailauth import verifying  # noqa: PLC0415 - see the top

                return verifying.examine(said, self._lookups(), time.time())
            case _:
                return Evidence()

    def _chain(self, said: Authorship) -> Evidence:
        from mailgate.mailauth import sealing  # noqa: PLC0415 - see the top
        from mailgate.mailauth.canonical import Message  # noqa: PLC0415 - see the top

        return sealing.examine(said, Message(said.fields, said.raw), self._lookups(), time.time())

    def _lookups(self) -> "Lookups":
        from mailgate.mailauth.resolver import Resolver  # noqa: PLC0415 - see the top

        with self._lock:
            if self._resolver is None:
                self._resolver = Resolver(self._servers, self._timeout)
            return self._resolver.lookups()
