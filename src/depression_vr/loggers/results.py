"""What a logger needs so that it shows a run's results and ends with the run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from pytorch_lightning.loggers import Logger

from depression_vr.data.manifest import Manifest
from depression_vr.errors import StoppedError
from depression_vr.runs.run import Run

_FAILURE = 1


@runtime_checkable
class ResultsLogger(Protocol):
    """A logger that shows more of an evaluated run than the rows that Lightning logs."""

    def log_results(self, run: Run, manifest: Manifest) -> None:
        """Show the results.

        Args:
            run: evaluated; what is shown comes from its files.
            manifest: of its corpus, to find the frames of a video.
        """
        ...

    def end(self, exit_code: int) -> None:
        """End the run, so that another one can begin in this process; 0 says that it went well."""
        ...


def log_results(loggers: Sequence[Logger], run: Run, manifest: Manifest) -> None:
    """Let the loggers that can show the results of an evaluated run."""
    for logger in loggers:
        if isinstance(logger, ResultsLogger):
            logger.log_results(run, manifest)


@contextmanager
def ended_loggers(loggers: Sequence[Logger]) -> Iterator[None]:
    """End the loggers when the block ends, however it does."""
    exit_code = _FAILURE
    try:
        yield
        exit_code = 0
    except StoppedError as stopped:
        exit_code = stopped.exit_code
        raise
    finally:
        for logger in loggers:
            if isinstance(logger, ResultsLogger):
                logger.end(exit_code)
