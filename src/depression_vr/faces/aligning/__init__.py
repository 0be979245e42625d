"""From landmarks to aligned frames, and how good they are."""
