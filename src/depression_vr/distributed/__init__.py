"""Several processes, each with a device of its own, that train or evaluate together."""
