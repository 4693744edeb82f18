"""Words that were handed over without a mail, treated like the bodies of one.

``clean`` makes HTML safe as that of a mail (``mime.html``), finds the links of all words and leaves the notes that a
mail would get: ``remote_images``, ``too_many_links``, ``defects``. Text stays as it is, save where there is none and
the HTML couldn't be made safe: then it is the HTML's. Linear in the input.

Refuses, with ``BadInput``, HTML of which only the beginning would be shown (``html.MAX_MARKS``), as there is no raw
mail that has the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mailgate.domain.content import Content
from mailgate.domain.mail import Note
from mailgate.domain.user import Language
from mailgate.errors import BadInput
from mailgate.mime import html, links, notes
from mailgate.mime.notes import Notes


@dataclass(frozen=True, slots=True)
class Given:
    """Words as they are kept, with the links in them and what is noted."""

    content: Mapping[Language, Content]
    links: tuple[str, ...]
    notes: tuple[Note, ...]


def clean(content: Mapping[Language, Content]) -> Given:
    """Make words in several languages safe to keep."""
    said = Notes()
    safe: dict[Language, Content] = {}
    found: list[str] = []
    remote = 0
    most_marks = html.MAX_MARKS  # one allowance for all, as for a mail
    for language, one in content.items():
        body = html.sanitise(one.html, most_marks) if one.html else html.Sanitised()
        if body.cut:
            most = f"{html.MAX_HTML:,} letters, or all languages are over {html.MAX_MARKS:,} tags and references"
            raise BadInput(f"content.{language.value}.html: it is over {most}: shorten it, or log the mail as a file")
        safe[language] = replace(one, html=body.html, text=one.text or (body.text if body.failed else ""))
        found += [*links.in_text(one.text), *body.links]
        remote += body.remote
        most_marks -= body.marks
        if body.failed:
            said.add(notes.DEFECTS, "The HTML could not be made safe; its text is shown.")
    kept, more = links.collect(found)
    if more:
        said.add(notes.TOO_MANY_LINKS, f"The mail has more than {links.MAX_LINKS} links.")
    if remote:
        said.add(notes.REMOTE_IMAGES, f"Pictures that lie elsewhere are not loaded: {remote}.")
    return Given(safe, kept, said.done())
