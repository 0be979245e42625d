"""From a raw video, or from frames, to an estimate with its interval, or to the reason why there is none.

``python -m depression_vr.predict run=RUN_DIR input=interview.mp4``
"""

import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

import depression_vr.quick_imports  # noqa: F401
from depression_vr.entry import entry_point
from depression_vr.predicting.command import predict

SOME_FAILED = 1


@entry_point("predict", goes_on=True)
def main(config: DictConfig) -> None:
    """Predict, and exit with 1 if a video could not be used; one that was declined could."""
    if predict(config, list(HydraConfig.get().overrides.task), Path(config.run_dir).absolute()):
        sys.exit(SOME_FAILED)


if __name__ == "__main__":
    main()
