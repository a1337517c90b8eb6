"""Which layers bear fewer bits: measured layer by layer, and assigned within a budget of bytes."""
