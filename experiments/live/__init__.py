"""Measurements of live models: accuracy, latency, long recordings, many streams at a time."""
