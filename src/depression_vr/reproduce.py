"""Train a recorded run again and say whether it comes out the same.

``python -m depression_vr.reproduce run=RUN_DIR``
"""

import sys

from omegaconf import DictConfig

import depression_vr.quick_imports  # noqa: F401
from depression_vr.entry import entry_point
from depression_vr.keys import keys_of
from depression_vr.reproducing import Wanted, reproduce

DIFFERENT = 1


@entry_point("reproduce")
def main(config: DictConfig) -> None:
    """Leave a run directory of its own; exit code 1 where it comes out different."""
    if not reproduce(keys_of(config, Wanted)).agrees:
        sys.exit(DIFFERENT)


if __name__ == "__main__":
    main()
