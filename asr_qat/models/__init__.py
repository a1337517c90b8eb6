"""Conformer models and the model directory."""
