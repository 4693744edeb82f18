"""Names of documents: what the mail calls them, made safe to show and to save, unique within the mail.

Only the last part of a path is kept; a slash in what is no path becomes an underscore, as do characters that not every
file system takes. Names of devices (CON, NUL, COM1, ...) get one in front. Gone are controls, NUL, marks that reorder
or hide letters, dots and spaces at the ends.
What is left is cut to ``MAX_BYTES`` with its ending kept; nothing left means ``document-N``, or the subject of an
attached mail. Nothing is ever stored under these names.
"""

import re
import unicodedata

from mailgate.mime import text

MAX_BYTES = 200
MAX_ENDING = 20

_ENDINGS = {
    "application/ics": ".ics",
    "application/json": ".json",
    "application/msword": ".doc",
    "application/pdf": ".pdf",
    "application/pgp-keys": ".asc",
    "application/pgp-signature": ".asc",
    "application/pkcs7-mime": ".p7m",
    "application/pkcs7-signature": ".p7s",
    "application/rtf": ".rtf",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.ms-outlook": ".msg",
    "application/vnd.ms-powerpoint": ".ppt",
    "application/vnd.oasis.opendocument.presentation": ".odp",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/x-pkcs7-mime": ".p7m",
    "application/x-pkcs7-signature": ".p7s",
    "application/x-zip-compressed": ".zip",
    "application/xml": ".xml",
    "application/zip": ".zip",
    "audio/mp4": ".m4a",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "audio/x-wav": ".wav",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
    "image/heic": ".heic",
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/pjpeg": ".jpg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/tiff": ".tif",
    "image/webp": ".webp",
    "image/x-png": ".png",
    "message/delivery-status": ".txt",
    "message/disposition-notification": ".txt",
    "message/global": ".eml",
    "message/rfc822": ".eml",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/rfc822-headers": ".txt",
    "text/rtf": ".rtf",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
    "text/xml": ".xml",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
}
_ODD = re.compile(r'[<>:"|?*\ufffd]')
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]+")
_MARKS = re.compile("[\u00ad\u200b-\u200f\u061c\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff]")
_PATH = re.compile(r"^\s*(?:[/~.]|[A-Za-z]:)|/\.{1,2}/|/\s*$")
_DEVICES = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9¹²³]|lpt[0-9¹²³])\s{0,200}(?:\.|$)", re.IGNORECASE
)


class Names:
    """Hands out names, one per document; one instance per mail."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def give(self, declared: str, media: str, n: int, subject: str = "") -> str:
        """Return the name of the n-th document. ``subject`` is that of an attached mail, for one without a name."""
        name = safe(declared)
        if not name:
            ending = _ENDINGS.get(media, ".bin")
            name = (safe(subject.replace("/", "_").replace("\\", "_") + ending) if subject else "") or (
                f"document-{n}{ending}"
            )
        return self._unique(name)

    def _unique(self, name: str) -> str:
        key = name.casefold()
        stem, ending = _divided(name)
        count = self._next.get(key, 2)
        while key in self._taken:
            name = f"{stem} ({count}){ending}"
            count += 1
            key = name.casefold()
        self._next[f"{stem}{ending}".casefold()] = count
        self._taken.add(key)
        return name


def safe(declared: str) -> str:
    """Clean a declared name; "" where nothing of it can stay."""
    declared = declared[-8000:] if len(declared) > 8000 else declared  # noqa: PLR2004 - the ending stands at the end
    name = declared.rpartition("\\")[2]
    name = name.rpartition("/")[2] if _PATH.search(name) else name.replace("/", "_")
    name = text.clean(_CONTROLS.sub(" ", _MARKS.sub("", name)))
    name = _ODD.sub("_", unicodedata.normalize("NFC", name)).strip(" ").rstrip(". ")
    if not name.strip("._ "):
        return ""
    if _DEVICES.match(name):
        name = f"_{name}"
    return _shortened(name)


def _divided(name: str) -> tuple[str, str]:
    stem, dot, ending = name.rpartition(".")
    if not dot or not stem or len(ending) > MAX_ENDING:
        return name, ""
    return stem, f".{ending}"


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_BYTES:
        return name
    stem, ending = _divided(name)
    room = MAX_BYTES - len(ending.encode())
    return stem.encode()[:room].decode("utf-8", "ignore").rstrip(". ") + ending
