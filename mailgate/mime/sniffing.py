"""What a document's first octets and its name tell of it: hints only, nothing is refused for them.

A document is ``executable`` where its content begins as a program's, or its name ends like one that Windows, macOS or
a desktop runs when it is opened. Its content ``is_really`` of another kind where the declared type (or, for
``application/octet-stream``, the name's ending) is one that we know the beginning of, and the content begins as
something else that we know. What begins like nothing known agrees with everything.

A table of our own, as the libraries at hand call every zip a Word document and raise on text. Nothing is unpacked.
"""

import re
from dataclasses import dataclass

WITHIN = 1024  # a PDF may have other octets before its mark

_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF87a", "a GIF picture"),
    (b"GIF89a", "a GIF picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "a zip archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x1f\x8b\x08", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"\xfe\xed\xfa\xce", "a program"),
    (b"\xfe\xed\xfa\xcf", "a program"),
    (b"\xce\xfa\xed\xfe", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "a Windows shortcut"),
    (b"#!/", "a script"),
)
_RUNS = frozenset({"a program", "a Windows shortcut", "a script"})
_ZIP, _OLD, _RTF, _HTML, _TEXT = "a zip archive", "an old Office document", "an RTF document", "HTML", "text"
_OLD_OFFICE = frozenset({_OLD, _RTF, _ZIP, _HTML, _TEXT})  # programs save all of these under the old endings

# what content of a declared type may be; a type that isn't here may be anything but what runs
_KINDS: dict[str, frozenset[str]] = {
    "application/gzip": frozenset({"a gzip archive"}),
    "application/msword": _OLD_OFFICE,
    "application/pdf": frozenset({"a PDF"}),
    "application/rtf": frozenset({_RTF}),
    "application/vnd.ms-excel": _OLD_OFFICE,
    "application/vnd.ms-powerpoint": _OLD_OFFICE,
    "application/x-7z-compressed": frozenset({"a 7z archive"}),
    "application/x-zip-compressed": frozenset({_ZIP}),
    "application/zip": frozenset({_ZIP}),
    "image/gif": frozenset({"a GIF picture"}),
    "image/jpeg": frozenset({"a JPEG picture"}),
    "image/jpg": frozenset({"a JPEG picture"}),
    "image/pjpeg": frozenset({"a JPEG picture"}),
    "image/png": frozenset({"a PNG picture"}),
    "image/svg+xml": frozenset({_TEXT, _HTML}),
    "image/tiff": frozenset({"a TIFF picture"}),
    "image/webp": frozenset({"a WebP picture"}),
    "image/x-png": frozenset({"a PNG picture"}),
    "text/calendar": frozenset({_TEXT}),
    "text/csv": frozenset({_TEXT}),
    "text/html": frozenset({_TEXT, _HTML}),
    "text/plain": frozenset({_TEXT, _HTML, "a script"}),
    "text/rtf": frozenset({_RTF}),
    "text/xml": frozenset({_TEXT, _HTML}),
}
_OF_ZIPS = re.compile(r"application/(?:vnd\.openxmlformats-officedocument|vnd\.oasis\.opendocument)\.")
_UNSAID = frozenset({"application/octet-stream", "application/x-unknown", "application/unknown", "binary/octet-stream"})
_BY_ENDING = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "zip": "application/zip",
    "rtf": "application/rtf",
    "txt": "text/plain",
    "csv": "text/csv",
    "docx": "application/vnd.openxmlformats-officedocument.",
    "xlsx": "application/vnd.openxmlformats-officedocument.",
    "pptx": "application/vnd.openxmlformats-officedocument.",
}
_ENDINGS_THAT_RUN = (
    "action apk app appcontent-ms appimage appinstaller application appref-ms appx appxbundle bat chm cmd com"
    " command cpl csh deb desktop diagcab dll exe fileloc gadget hlp hta htc inetloc inf ins inx ipa isu jar jnlp"
    " job js jse ksh library-ms lnk mde msc msi msix msixbundle msp mst osx paf pif pkg ps1 ps1xml ps2 ps2xml psc1"
    " psc2 psm1 pyc pyw pyz pyzw reg rgs rpm run scf scpt scr sct search-ms searchconnector-ms settingcontent-ms sh"
    " shb sys terminal theme url vb vbe vbs vbscript website workflow ws wsb wsc wsf wsh xbap xll"
)
_RUN_ENDINGS = frozenset(_ENDINGS_THAT_RUN.split())
_HTML_BEGINS = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*+(?:<!--.{0,200}?-->\s*+)?<(?:!doctype html|html|head|body)\b", re.I | re.S
)
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Hint:
    """``executable``: opening it may run it. ``is_really``: the kind of its content where another was declared.

    ``by_type``: by its type, or by its name where that says more.
    """

    executable: bool = False
    is_really: str = ""
    by_type: bool = True


def look(content: bytes, media: str, name: str) -> Hint:
    """Look at a document: its content, its declared type and its cleaned name."""
    start = content[:WITHIN]
    kind = _kind(start)
    ending = name.rpartition(".")[2].strip().lower()  # some programs drop white space of any kind at the end
    by_type = media not in _UNSAID
    declared = media if by_type else _BY_ENDING.get(ending, media)
    allowed = frozenset({_ZIP}) if _OF_ZIPS.match(declared) else _KINDS.get(declared)
    differs = allowed is not None and kind not in {*allowed, ""}
    runs = ending in _RUN_ENDINGS or kind in _RUNS - (allowed or frozenset())
    return Hint(runs, kind if differs else "", by_type or not differs)


def _kind(start: bytes) -> str:
    for beginning, kind in _BEGINNINGS:
        if start.startswith(beginning):
            return kind
    if start.startswith(b"MZ") and _NO_TEXT.search(start):
        return "a program"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "a WebP picture"
    if b"%PDF-" in start:
        return "a PDF"
    if _HTML_BEGINS.match(start):
        return _HTML
    return _TEXT if start.strip() and not _NO_TEXT.search(start) and _is_utf8(start) else ""


def _is_utf8(start: bytes) -> bool:
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return error.end == len(start) and len(start) == WITHIN  # a letter cut in two by the limit
    return True
