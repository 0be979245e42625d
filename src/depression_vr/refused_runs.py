"""The folder of a command that was refused before it did anything: gone again."""

import logging
import shutil
from contextlib import suppress
from pathlib import Path

from depression_vr.runs.run import Run


def remove_if_nothing_was_done(folder: Path, made: list[Path]) -> None:
    """Remove a folder that holds only what was refused: settings, a record without a corpus, and logs.

    Args:
        folder: of the command's output.
        made: folders that the command has made, the innermost first; what was there before stays.
    """
    if made[:1] != [folder] or _holds_more(Run(folder)):
        return
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, logging.FileHandler):
            root.removeHandler(handler)
            handler.close()
    with suppress(OSError):  # what refused the command is the error to tell, and other runs may lie above
        shutil.rmtree(folder)
        for above in made[1:]:
            above.rmdir()


def _holds_more(run: Run) -> bool:
    if run.record_file.is_file() and "dataset" in run.record():
        return True
    of_a_refusal = {".hydra", *(file.name for file in (run.config_file, run.record_file, run.diff_file))}
    return any(entry.name not in of_a_refusal and entry.suffix != ".log" for entry in run.folder.iterdir())
