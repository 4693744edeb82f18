"""``python -m mailgate`` and the ``mailgate`` command: answers --version before importing anything heavy."""

import sys


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:
        from mailgate import __version__

        print(f"mailgate {__version__}")
        return
    from mailgate.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
