"""Clients that are not let speak, or have no say.

Who is no registered relay gets 554 as greeting, then 503 to everything until QUIT (RFC 5321 3.1), and stays for
``stranger_seconds`` and ten lines at most, so that relays aren't kept out. Who has too many connections gets 421.
"""

import asyncio

from mailgate import events
from mailgate.errors import Deferred, Reason, Refused
from mailgate.smtp import replies
from mailgate.smtp.caller import STRANGER, Caller
from mailgate.smtp.shared import Shared
from mailgate.smtp.wire import LineTooLong, Wire

_MAX_LINES = 10


async def turn_away(shared: Shared, wire: Wire, peer: str) -> None:
    """Refuse a client at this address. Raises ``Hangup``."""
    events.turned_away(peer=peer, reason=Reason.BAD_RELAY)
    shared.intake.turn_away(STRANGER, Reason.BAD_RELAY)
    no = Deferred(Reason.BAD_RELAY) if shared.soft else Refused(Reason.BAD_RELAY)
    wire.say(shared.replies.refusal(no))
    try:
        async with asyncio.timeout(shared.limits.stranger_seconds):
            await _until_quit(wire, shared.limits.stranger_seconds)
    except TimeoutError:
        wire.say(replies.TIMED_OUT)
    except LineTooLong:
        wire.say(replies.LINE_TOO_LONG)
    await wire.flush()


def count_busy(shared: Shared, caller: Caller) -> None:
    """Write down that a peer has too many connections."""
    events.turned_away(peer=caller.name, reason=Reason.BUSY)
    shared.intake.turn_away(caller.relay_name, Reason.BUSY)


async def _until_quit(wire: Wire, seconds: float) -> None:
    for _ in range(_MAX_LINES):
        line = await wire.line(seconds)
        if line.strip().upper() == b"QUIT":
            wire.say(replies.BYE)
            return
        wire.say(replies.BAD_SEQUENCE)
