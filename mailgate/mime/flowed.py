"""Paragraphs that were sent in lines: format=flowed (RFC 3676, and its elder RFC 2646).

A line that ends with a space goes on in the next line of the same quote depth; a line of another depth, a line
without the space, the signature mark and an empty line end the paragraph. (By the letter of section 4.1 the empty line
would be its last and vanish, but it is there since somebody typed a space before it.) One space after the quote marks
is stuffing, and goes, save before a ``>`` that is no quote mark. Quoted paragraphs are written with one mark ``>`` per
level and a space. Programs that know RFC 2646 only say no DelSp: the space that ends a line then stays, as the space
between two words.

Takes text with plain line feeds, raises nothing, is linear. Text beyond 4 million letters stays in its lines: nobody
wrote that, and its lines would take many times its memory.
"""

MAX_FLOWED = 4_000_000
SIGNATURE = "-- "
ENDINGS = (SIGNATURE, "")


def join(text: str, *, delete_space: bool = False) -> str:
    """Join the lines of each flowed paragraph; quote marks, fixed lines and the signature mark stay.

    ``delete_space`` is DelSp=yes: the space that ends a flowing line is no part of the text.
    """
    if len(text) > MAX_FLOWED:
        return text
    paragraphs: list[str] = []
    pieces: list[str] = []  # of the paragraph that goes on
    depth = 0
    for line in text.split("\n"):
        quoted, words = _unstuffed(line)
        if pieces and (quoted != depth or words in ENDINGS):
            paragraphs.append(_written(depth, pieces))
            pieces = []
        depth = quoted
        flows = words.endswith(" ") and words != SIGNATURE
        pieces.append(words[:-1] if flows and delete_space else words)
        if not flows:
            paragraphs.append(_written(depth, pieces))
            pieces = []
    if pieces:
        paragraphs.append(_written(depth, pieces))
    return "\n".join(paragraphs)


def _unstuffed(line: str) -> tuple[int, str]:
    """Return a line's quote depth and its words without the stuffed space (RFC 3676 sections 4.4 and 4.5)."""
    words = line.lstrip(">")
    return len(line) - len(words), words.removeprefix(" ")


def _written(depth: int, pieces: list[str]) -> str:
    words = "".join(pieces)
    if words != SIGNATURE:
        words = words.rstrip(" ")
    # outside of quotes a space stays before words that begin with the quote mark, or they would be taken for a quote
    apart = " " if words and (depth or words.startswith(">")) else ""
    return ">" * depth + apart + words
