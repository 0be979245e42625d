"""Numbers in words."""


def percent(probability: float) -> str:
    """A probability as asked for, without rounding: ``90%``, ``97.5%``."""
    return f"{probability * 100:.12g}%"


def rounded(number: float, digits: int = 2) -> str:
    """A number with so many digits after the point, and no zero with a sign.

    >>> [rounded(number) for number in (-0.123, -0.001, 0.0)]
    ['-0.12', '0.00', '0.00']
    """
    return f"{number:z.{digits}f}"


def with_minus(number: str) -> str:
    """A number as it is printed, with a minus sign for a hyphen."""
    return number.replace("-", "\N{MINUS SIGN}")


def counted(number: int, noun: str) -> str:
    """``1 video``, ``2 videos``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
