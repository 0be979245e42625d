"""What Lightning calls during a run: selection of checkpoints."""
