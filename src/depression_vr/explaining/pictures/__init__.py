"""Pictures of what a network looks at. They show faces: they stay on the disk, loggers never get them."""
