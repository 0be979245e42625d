"""Score regression: scales, losses, schedules and video-level metrics."""
