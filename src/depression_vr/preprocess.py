"""Turn raw videos into aligned face frames.

``python -m depression_vr.preprocess data=avec2014 data.root=FOLDER out=FACES``
``python -m depression_vr.preprocess faces=dlib input=interview.mp4 out=FACES``
"""

import logging
import sys

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from depression_vr.entry import entry_point
from depression_vr.preprocessing import preprocess

log = logging.getLogger(__name__)

SOME_FAILED = 1


class IncompleteError(Exception):
    """What could not be made."""


@entry_point("preprocess", goes_on=True)
def main(config: DictConfig) -> None:
    """Preprocess what is not finished, write tables and report, exit with 1 if a video failed."""
    missing = preprocess(config)
    for what in missing:
        log.error(what)
    if missing and HydraConfig.get().mode is RunMode.MULTIRUN:
        raise IncompleteError("\n".join(missing))  # an exit would keep Hydra from the other shards
    if missing:
        sys.exit(SOME_FAILED)


if __name__ == "__main__":
    main()
