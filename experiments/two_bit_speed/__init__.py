"""How fast files of 2-bit weights are: as they are, widened in memory, and beside 4-bit ones."""
