"""Reading mail: bytes in, ``domain.mail.Mail`` out. Total: no input makes it raise.

``read`` gives what is seen in a mail, ``document`` the content of its n-th document; ``clean`` makes words safe that
were handed over without a mail. The only package that imports mail-parser; none of its objects, and none of the
standard library's, leave it.
"""

from mailgate.mime.given import clean
from mailgate.mime.reader import document, read

__all__ = ["clean", "document", "read"]
