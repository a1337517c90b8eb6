"""Named primitive Keras layers of the Conformer."""
