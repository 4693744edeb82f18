"""Which stretches of a text are quoted history or a signature, for showing them folded; nothing is cut off.

Sole importer of mailparser_reply.
"""

from mailgate.domain.mail import Fold


def folds(_text: str) -> tuple[Fold, ...]:
    """Find quotes and signatures; in order, none within another."""
    return ()
