"""Which expectations of others we don't meet: of which file, how many, and why.

A row whose number is no longer right fails the test of scores.
"""

_OUTER_ENDS = "The outer delimiter doesn't end an open multipart there; RFC 2046 section 5.1.2 wants it"
_PREFIX = (
    "The inner boundary begins the outer one: a delimiter that fits the outer one wholly is its, as in Thunderbird"
)
_TWO_TYPES = (
    "A second Content-Type ends the multipart there, so that its HTML is shown as raw text; the first one counts here"
    " and in Thunderbird."
)

DEVIATIONS: dict[str, dict[str, tuple[int, str]]] = {
    "stalwart": {
        "malformed/000.eml": (
            1,
            "Parts without an empty line are dropped there; RFC 2046 section 5.1.1 has parts that are a header only.",
        ),
        "malformed/001.eml": (1, f"{_PREFIX}."),
        "malformed/002.eml": (1, "The text of a multipart without any delimiter is an attachment there; we show it."),
        "malformed/007.eml": (
            4,
            "The first delimiter stands in the header of its own multipart, which it ends with us, not there.",
        ),
        "malformed/008.eml": (1, f"{_PREFIX} and Dovecot, where this mail is from."),
        "malformed/009.eml": (1, f"{_OUTER_ENDS}."),
        "malformed/011.eml": (1, f"{_OUTER_ENDS}."),
        "malformed/012.eml": (2, f"{_OUTER_ENDS}, or an attached mail is lost."),
        "malformed/016.eml": (1, f"{_PREFIX}; all parts are there, one level further out."),
        "malformed/019.eml": (
            1,
            "The text stands below the last field without an empty line; it is lost there, we show it as Python does.",
        ),
        "malformed/020.eml": (1, _TWO_TYPES),
        "malformed/021.eml": (1, _TWO_TYPES),
        "malformed/022.eml": (1, "The closing delimiter is among the octets of a part there, but not in its text."),
        "thirdparty/002.eml": (
            1,
            "Base64 with words behind its padding: they are decoded there; padding ends it (RFC 2045 section 6.8).",
        ),
        "thirdparty/005.eml": (
            2,
            "A delimiter within a line ends a part there (not in RFC 2046); and half a letter of UTF-16 is dropped.",
        ),
        "thirdparty/015.eml": (
            6,
            "An attached mail without its parts swallows two others there, fields and all; we list all three whole.",
        ),
    },
    "mime4j": {
        "basic-plain-with-bad-header-separator.msg": (
            1,
            "A line with one space isn't empty; the text below it is dropped there, we show it.",
        ),
        "malformedHeader-noheader.msg": (1, "A mail without any header: its text is dropped there, we show it."),
    },
}
