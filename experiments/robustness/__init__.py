"""Recordings as other microphones would have made them: their level, and an offset."""
