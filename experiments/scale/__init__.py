"""Size, speed and memory of files at published sizes, with untrained weights."""
