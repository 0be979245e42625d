"""Trained networks in a form that evaluates faster, with the same scores but for rounding.

Batch norms are folded into the convolutions in front of them, and the convolutions of a block put out what
ReLU leaves of them. On a CPU, in float32 and bfloat16, that is one call
of oneDNN's each, where PyTorch has been built with it.
"""

from depression_vr.models.inference.conversion import for_inference

__all__ = ["for_inference"]
