"""What keys of configs have in common."""

from pydantic import BeforeValidator


def _as_list(given: object) -> object:
    return given if given is None or isinstance(given, list) else [given]


A_LIST = BeforeValidator(_as_list)
"""A list of one may be without brackets."""
