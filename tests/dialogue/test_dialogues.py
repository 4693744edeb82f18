"""Every file in ``fixtures/dialogues``, played over a real socket against a real server."""

from pathlib import Path

import pytest

from mailgate.smtp.tls import TlsFiles
from tests.dialogue.player import play, read

FOLDER = Path(__file__).parents[2] / "fixtures" / "dialogues"
FILES = sorted(FOLDER.glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_dialogue_goes_as_written(path: Path, tls: TlsFiles) -> None:
    play(read(path), tls)


def test_there_are_dialogues() -> None:
    assert len(FILES) >= 50
