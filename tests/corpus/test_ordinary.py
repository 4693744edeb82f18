"""Mails of which mail-parser is not asked have nothing that it would say of them."""

from collections.abc import Iterator

from mailgate.mime import fields, tree
from mailgate.mime.tree import Part
from tests.corpus import messages
from tests.corpus.generated import generated
from tests.corpus.mutations import mutated

MUTATIONS = 3000  # the same ones each time
LARGEST = 60_000
ADDRESS = "AddressHeaderDefect"


def trees() -> Iterator[tuple[str, Part]]:
    paths = dict.fromkeys((*messages.fixtures(), *messages.messages()))
    raws = {messages.name(path): path.read_bytes() for path in paths} | dict(generated())
    small = [raw for raw in raws.values() if len(raw) <= LARGEST]
    for seed in range(MUTATIONS):
        raws[f"mutation {seed}"] = mutated(small[seed % len(small)], small[(seed * 11 + 5) % len(small)], seed)
    for name, raw in raws.items():
        try:
            yield name, tree.parse(raw, fields.split(raw))
        except tree.TooMuch:
            continue


def test_of_ordinary_mails_mail_parser_says_nothing_but_of_addresses() -> None:
    differ: dict[str, set[str]] = {}
    ordinary = 0
    for name, root in trees():
        if not tree.is_ordinary(root):
            continue
        ordinary += 1
        here, there = set(tree.defects(root, all_read=True)), set(tree.defects(root)) - {ADDRESS}
        if here - {ADDRESS} != there:
            differ[name] = there ^ here
    assert differ == {}
    assert ordinary > MUTATIONS // 2
