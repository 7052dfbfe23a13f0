"""Draw timelines. They know the seam, `recording.timeline`, and nothing of capture or pipeline."""
