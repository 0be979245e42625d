"""What preprocessing tells about a whole output folder."""
