"""What the listed sealers of a relay say about the author, in a chain that holds (RFC 8617 5.2; see ``arc``).

Each trusted instance is weighed by itself, by the rules for a relay's own stamp: a list that changes mails makes the
signature fail for those behind it, and it is the list's own word, from before, that counts. Raises nothing.
"""

from collections.abc import Iterator
from dataclasses import replace

from mailgate.domain.proof import Authorship, Evidence, Proof
from mailgate.mailauth import arc, results, stamping
from mailgate.mailauth.arc import Chain, Instance
from mailgate.mailauth.canonical import Message
from mailgate.mailauth.resolver import Lookups

SHOWN_SEALERS = 5


def examine(said: Authorship, message: Message, lookups: Lookups, now: float) -> Evidence:
    """Validate the chain and weigh what its trusted instances say; ``now`` is Unix time."""
    try:
        stamping.check_chosen(said)  # sealers write down what they are told as other servers do
    except stamping.NoPlace as why:
        return Evidence(proofs=(Proof(method="arc", result="policy", why=str(why)),))
    chain = arc.validate(message, said.relay.sealers, lookups, now)
    proofs = (_proof(chain), *(proof for each in chain.trusted for proof in _weighed(each, said.author)))
    return Evidence(proofs=proofs, believed=any(proof.proves for proof in proofs), unsure=chain.result == "temperror")


def _proof(chain: Chain) -> Proof:
    sealers = " ".join(chain.sealers[:SHOWN_SEALERS])
    inputs = (("arc.sealers", sealers),) if sealers else ()
    return Proof(method="arc", result=chain.result, inputs=inputs, why=chain.why)


def _weighed(instance: Instance, author: str) -> Iterator[Proof]:
    place = ("arc.instance", str(instance.number))
    read = results.read_arc(instance.results.value)
    if read is None or read[0] != instance.number:
        yield Proof(method="arc", result="permerror", inputs=(place,), why="what the sealer found out can't be read")
        return
    for proof in stamping.weigh(author, [read[1]]).proofs:
        yield replace(proof, inputs=(place, *proof.inputs))
