"""Whatever Python reads a mail, the same is seen in it.

``python -m tests.corpus.pythons`` reads corpus, fixtures, seeds and thousands of mails made of them by each
supported Python that is there, in virtual environments of their own below ``.venv/pythons``, and compares. With one
Python the ``.json`` beside each fixture says the same: whichever runs the tests must see what is written there.
"""

import json
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from mailgate import mime
from tests.corpus import messages
from tests.corpus.mutations import mutated
from tests.corpus.test_fixtures_read import as_json

SEEDS = Path(__file__).with_name("seeds")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MUTATIONS = 3000
LARGEST = 60_000
NEEDED = ("pytest", "hypothesis", "pyyaml")


def digest(raw: bytes) -> str:
    """Put all that is seen in a mail into one number."""
    mail = mime.read(raw)
    whole = sha256(json.dumps([as_json(mail), [note.text for note in mail.notes]], sort_keys=True).encode())
    for document in mail.documents:
        whole.update(mime.document(raw, document.n) or b"")
    for n, attached in mime.attached(raw):
        whole.update(b"%d %b" % (n, attached))
    return whole.hexdigest()[:32]


def of_everything() -> list[str]:
    """Say what is seen in every mail there is, and in those made of them."""
    paths = dict.fromkeys((*messages.fixtures(), *messages.messages(), *sorted(SEEDS.glob("*.eml"))))
    raws = [path.read_bytes() for path in paths]
    rows = [f"{digest(raw)} {path.name}" for path, raw in zip(paths, raws, strict=True)]
    small = [raw for raw in raws if len(raw) <= LARGEST]
    for seed in range(MUTATIONS):
        raw = mutated(small[seed % len(small)], small[(seed * 11 + 5) % len(small)], seed)
        rows.append(f"{digest(raw)} mutation {seed}")
    return rows


def environment(version: str) -> Path | None:
    """Make a virtual environment with the versions of ``constraints.txt``; ``None`` where there is no such Python."""
    # before the shims of pyenv, which are there for Pythons that aren't chosen too
    own = (str(path) for path in sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")))
    python = next(own, None) or shutil.which(f"python{version}")
    if python is None:
        return None
    root = messages.REPOSITORY
    folder = root / ".venv" / "pythons" / version
    found = folder / "bin" / "python"
    if not found.exists():
        subprocess.run([python, "-m", "venv", folder], check=True)
    pip = [str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", "constraints.txt"]
    subprocess.run([*pip, "-e", ".", *NEEDED], check=True, cwd=root)
    return found


def compare() -> int:
    """Read everything with each Python; say how many differ from the first."""
    told: dict[str, list[str]] = {}
    for version in PYTHONS:
        python = environment(version)
        if python is None:
            print(f"{version}: not here")
            continue
        run = [str(python), "-m", "tests.corpus.pythons", "rows"]
        rows = subprocess.run(
            run, check=True, capture_output=True, text=True, cwd=messages.REPOSITORY
        ).stdout.splitlines()
        told[version] = [row for row in rows if not row.startswith("no corpus")]
        print(f"{version}: {len(rows)} mails, {sha256(''.join(told[version]).encode()).hexdigest()[:32]}")
    first = next(iter(told.values()))
    for version, rows in told.items():
        print(*(f"{version}: {row}" for row, other in zip(rows, first, strict=True) if row != other), sep="\n", end="")
    return sum(rows != first for rows in told.values())


if __name__ == "__main__":
    if sys.argv[1:] == ["rows"]:
        print("\n".join(of_everything()))
    else:
        raise SystemExit(compare())
