"""Continuous speech at the size of a desk: six hours of LibriSpeech, by whole speakers.

Its model is also the first stage of the shipped models, which is why AN4 gets its vocabulary.
"""
