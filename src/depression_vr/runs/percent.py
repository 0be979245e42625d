"""Probabilities in words."""


def percent(probability: float) -> str:
    """As asked for, without rounding: ``90%``, ``97.5%``."""
    return f"{probability * 100:.12g}%"
