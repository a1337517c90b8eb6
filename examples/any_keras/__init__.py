"""Keras models of other kinds than speech recognisers, from float to 2 bits, one script each.

`python -m examples.any_keras.NAME` trains, exports, scores and prints a table, in about two minutes
of one core, from the top of the repository.
"""
