"""What explanations are made from, by which those of another time are told apart."""

from typing import Any

from omegaconf import OmegaConf

from depression_vr.trained import CLIP_KEYS, TrainedNetwork


def made_from(trained: TrainedNetwork) -> dict[str, Any]:
    """All of the weights, the corpus and the clips that decides what a network computes, as plain values.

    Not where the files lie: a run may be named by another path.
    """
    data: Any = OmegaConf.to_container(trained.config.data, resolve=True)
    return {
        "checkpoint_sha256": trained.checkpoint_digest,
        "corpus": trained.datamodule.manifest.fingerprint(),
        "clips": {key: data.get(key) for key in (*CLIP_KEYS, "on_bad_frame")},
        "precision": str(trained.config.precision),
    }
