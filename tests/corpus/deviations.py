"""Which expectations of others we don't meet: of which file, how many, and why.

Of stalwart's each counts twice, with LF and with CRLF. A row whose number is no longer right fails the test of scores.
"""

DEVIATIONS: dict[str, dict[str, tuple[int, str]]] = {
    "stalwart": {
        "malformed/000.eml": (2, "Parts without an empty line are dropped there; we have each of them, empty."),
        "malformed/001.eml": (
            2,
            "The inner boundary begins the outer one: a delimiter that fits the outer one wholly is its.",
        ),
        "malformed/007.eml": (
            14,
            "The first delimiter stands in the header of its own multipart; we let it end that header.",
        ),
        "malformed/008.eml": (
            2,
            "The inner boundary begins the outer one: a delimiter that fits the outer one wholly is its.",
        ),
        "malformed/009.eml": (
            2,
            "The outer delimiter doesn't end an open multipart there; RFC 2046 section 5.1.2 wants it.",
        ),
        "malformed/011.eml": (
            2,
            "The outer delimiter doesn't end an open multipart there; RFC 2046 section 5.1.2 wants it.",
        ),
        "malformed/012.eml": (
            4,
            "The outer delimiter doesn't end an open multipart there, so that an attached mail is lost.",
        ),
        "malformed/016.eml": (2, "Each boundary begins the one around it; all parts are there, one level further out."),
        "malformed/019.eml": (12, "The text starts in the line below a broken header; it is lost there, we show it."),
        "malformed/020.eml": (
            2,
            "A second Content-Type ends the multipart there, so that its HTML is shown as raw text.",
        ),
        "malformed/021.eml": (
            2,
            "A second Content-Type ends the multipart there, so that its HTML is shown as raw text.",
        ),
        "thirdparty/002.eml": (
            6,
            "Base64 with rubbish: we stop at the padding, decode what can be, and show it as the text it is.",
        ),
        "thirdparty/005.eml": (
            5,
            "A delimiter within a line ends a part there; and half a letter of UTF-16 is dropped.",
        ),
        "thirdparty/010.eml": (
            2,
            "A parameter said twice, first empty: the last one counts there, the first one here.",
        ),
        "thirdparty/015.eml": (
            24,
            "An attached mail without its parts swallows two others there; we list all three, byte for byte.",
        ),
    },
    "mime4j": {
        "basic-plain-with-bad-header-separator.msg": (
            2,
            "A line with one space isn't empty; the text below it is dropped there, we show it.",
        ),
        "malformedHeader-noheader.msg": (2, "A mail without any header: its text is dropped there, we show it."),
    },
}
