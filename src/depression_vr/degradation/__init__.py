"""Frames as worse cameras, codecs and trackers would give them."""
