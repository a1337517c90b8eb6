"""Continuous speech at the size of a desk: six hours of LibriSpeech, by whole speakers.

AN4 gets the same vocabulary, so that a model of one goes on with the other.
"""
