"""The password of ``outbound.smtp``: the first line of a file, so that it stands in no settings."""

from pathlib import Path

from mailgate.errors import Misconfigured


def read_password(file: Path) -> str:
    """Read the first line, in UTF-8; ``Misconfigured`` names the file, never what stands in it."""
    key = f"outbound.smtp.password_file: {file}"
    try:
        password = file.read_text("utf-8").partition("\n")[0].removesuffix("\r")
    except OSError as error:
        raise Misconfigured(f"{key} can't be read ({error.strerror}): name a file that this user can read") from None
    except UnicodeDecodeError:
        raise Misconfigured(f"{key} is no text in UTF-8: write the password in its first line") from None
    if not password or "\0" in password:  # RFC 4616 2: NUL ends it
        raise Misconfigured(f"{key} has no password in its first line: write it there")
    return password
