"""How trained networks take degraded frames: scored level by level, measured and shown."""
