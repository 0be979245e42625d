"""Colours of figures, readable on white and on black."""

PALETTE = (
    "#2f7fd1", "#d1660a", "#1f9673", "#8f6bd0", "#d6487e", "#9a7420", "#1391ab", "#7a8a1c", "#7f8790",
)  # fmt: skip
"""Each has a contrast of at least 3.6 to a page, light and dark."""
GREY = "#808080"
"""Of axes, and of what belongs to no group."""
