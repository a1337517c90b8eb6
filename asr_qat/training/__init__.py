"""Training with Keras fit."""
