"""What stands for the corpus of a network that was imported without one."""

from typing import NoReturn

from depression_vr.data.manifest import Corpus, Manifest
from depression_vr.data.videos import RawVideo
from depression_vr.errors import UserError


class NoCorpus(Corpus):
    """No videos at all: whoever asks for them is told to name a corpus."""

    name = "none"

    def manifest(self) -> Manifest:
        """Raise that no corpus is named."""
        _ask_for_one()

    def raw_videos(self) -> tuple[RawVideo, ...]:
        """Raise that no corpus is named."""
        _ask_for_one()


def _ask_for_one() -> NoReturn:
    raise UserError(
        "no corpus is named, and the run was imported without one",
        where="config key data",
        fix="name one, such as data=avec2014 data.root=FOLDER, or data=csv data.table=FILE",
    )
