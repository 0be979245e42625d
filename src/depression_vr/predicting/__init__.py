"""From a video that nobody has a label for to an estimate, or to the reason why there is none."""
