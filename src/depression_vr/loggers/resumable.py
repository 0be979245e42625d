"""What a logger needs so that a resumed run logs no row twice and loses none."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class ResumableLogger(Protocol):
    """A logger that counts its rows.

    Attributes:
        rows: how many rows the run has logged so far, those before a resume included.
    """

    rows: int

    def resume_at(self, rows: int) -> None:
        """Go on after so many rows; to be called before anything is logged. 0 begins anew, in the same place.

        Rows behind them, which an interrupted process had logged since its last checkpoint, come again.
        """
        ...
