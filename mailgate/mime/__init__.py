"""Reading mail: bytes in, ``domain.mail.Mail`` out. Total: no input makes it raise.

``read`` gives what is seen in a mail (``read_soon``: to a function), ``document`` the content of its n-th document,
``attached`` the mails attached to it, ``skeleton`` a mail without its files. Each may take seconds for a big mail:
``ports.Reader`` says who calls them where. ``clean`` makes words safe that were handed over without a mail. The only
package that imports mail-parser; none of its objects, and none of the standard library's, leave it. ``READER_VERSION``
says which reader this is: 1 read headers, bodies and plain parts.
"""

from mailgate.mime.given import clean
from mailgate.mime.reader import attached, document, header_only, read, read_soon, skeleton

__all__ = ["READER_VERSION", "attached", "clean", "document", "header_only", "read", "read_soon", "skeleton"]

# one more with every release that reads anything else in any mail: ``mailgate reread`` looks for what is behind it
READER_VERSION = 2
