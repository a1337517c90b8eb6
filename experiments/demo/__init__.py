"""The main job: train a shipped float model on with 4-bit weights, export, score, compare."""
