"""What a live model is measured by: words, size and speed, latency, an hour, many streams."""
