"""The catalogues: ``locale/LL.po``, read and compiled once per process and language."""

from functools import cache
from gettext import GNUTranslations
from importlib import resources
from io import BytesIO

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from mailgate.domain.user import Language


@cache
def catalogue(language: Language) -> GNUTranslations:
    """Give the sentences of a language; fuzzy ones, which nobody has looked at, are not among them."""
    source = resources.files("mailgate.texts").joinpath("locale", f"{language.value}.po").read_bytes()
    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(source), locale=language.value, abort_invalid=True))
    compiled.seek(0)
    return GNUTranslations(compiled)
