"""One recogniser in many threads, and how long its checksum takes."""
