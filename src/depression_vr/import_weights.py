"""Make a run of weights from elsewhere, which all commands that take ``run=`` work on.

``python -m depression_vr.import_weights model=sta_drn ckpt=best.pth``
``python -m depression_vr.import_weights model=sta_drn ckpt=best.pth data=avec2014 data.root=FOLDER``
"""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

import depression_vr.quick_imports  # noqa: F401
from depression_vr.entry import entry_point
from depression_vr.importing import import_checkpoint
from depression_vr.runs.run import Run


@entry_point("import_weights")
def main(config: DictConfig) -> None:
    """Import a checkpoint and leave a run directory."""
    run = Run(Path(config.run_dir))
    import_checkpoint(run, config, list(HydraConfig.get().overrides.task))
    print(f"run: {run.folder}")


if __name__ == "__main__":
    main()
