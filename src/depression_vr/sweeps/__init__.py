"""Many trainings with one command: searches for settings, and grids."""
