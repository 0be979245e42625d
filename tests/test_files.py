"""Files that are there whole or not at all, and what is said of those that could not be written."""

import errno
from pathlib import Path

import pytest

from depression_vr.files import replacing


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError("the connection broke off"), "the connection broke off"),
        (OSError(errno.ENOSPC, "No space left"), f"[Errno {errno.ENOSPC}] No space left: '{{file}}'"),
        (OSError(errno.ENOENT, "No such file", "other"), f"[Errno {errno.ENOENT}] No such file: 'other'"),
        (ValueError("a bug"), "a bug"),
    ],
)
def test_an_error_says_the_same_and_leaves_what_was_there(
    tmp_path: Path, error: Exception, text: str
) -> None:
    file = tmp_path / "file"
    file.write_text("before")
    with pytest.raises(type(error)) as caught, replacing(file) as written:
        written.write(b"half")
        raise error
    assert str(caught.value) == text.format(file=file)
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]
