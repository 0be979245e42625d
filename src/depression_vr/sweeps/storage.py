"""Where a study is kept, so that several processes and later commands find it."""

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

_SECONDS_FOR_A_LOCK = 60


def open_storage(place: str) -> BaseStorage:
    """The storage in a database, or in a journal file, which network file systems can share as well.

    Args:
        place: a URL such as ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``, or the path of a journal.

    Raises:
        Exception: as the database has it; whoever opens it knows what follows.
    """
    if "://" not in place:
        return JournalStorage(JournalFileBackend(place))
    # another trial may be writing: SQLite's own patience is 5 seconds
    patience = {"connect_args": {"timeout": _SECONDS_FOR_A_LOCK}} if place.startswith("sqlite") else {}
    return RDBStorage(place, engine_kwargs=patience)
