"""What a new run is not written over: another run, or a folder of something else."""

from depression_vr.errors import UserError
from depression_vr.runs.resume_files import resume_files
from depression_vr.runs.run import Run

_ANOTHER = "name another folder with hydra.run.dir=FOLDER, or leave it out for a new one"


def refuse_to_overwrite(run: Run) -> None:
    """Refuse to begin a run where days of work lie, or between the folders of others.

    A run that has failed or was stopped before its first checkpoint is begun anew.

    Raises:
        UserError: the folder holds a finished run, an unfinished one that can go on, or other folders.
    """
    left = resume_files(run.checkpoints)
    if run.is_finished:
        raise UserError(
            "the run directory holds a finished run, which would be overwritten",
            where=str(run.folder),
            fix=_ANOTHER,
        )
    if left:
        raise UserError(
            "the run directory holds an unfinished run, which would be overwritten",
            where=str(left[0]),
            fix=f"go on with it, resume='{run.folder}', or name another folder with hydra.run.dir=FOLDER",
        )
    if not run.record_file.exists() and (others := _folders_in(run)):
        raise UserError(
            f"the folder of a run is the run's alone, and this one holds others, such as {others[0]}",
            where=str(run.folder),
            fix=_ANOTHER,
        )


def _folders_in(run: Run) -> list[str]:
    if not run.folder.is_dir():
        return []
    entries = run.folder.iterdir()
    return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
