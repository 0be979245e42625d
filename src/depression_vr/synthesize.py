"""Write the people of the synthetic corpus in the layout of a real one.

``python -m depression_vr.synthesize layout=avec2014 out=FOLDER``
"""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from depression_vr.data.synthetic import write_avec2014
from depression_vr.entry import entry_point
from depression_vr.errors import UserError

LAYOUTS = {"avec2014": write_avec2014}


@entry_point("synthesize", goes_on=True)
def main(config: DictConfig) -> None:
    """Write videos and labels; goes on where it was interrupted."""
    if config.layout not in LAYOUTS:
        raise UserError(
            f"unknown layout {config.layout!r}", where="config key layout", fix=f"use {', '.join(LAYOUTS)}"
        )
    given: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    settings = {key: value for key, value in given.items() if key != "layout"}
    folder = LAYOUTS[config.layout](**settings)
    print(f"written: {folder}")


if __name__ == "__main__":
    main()
