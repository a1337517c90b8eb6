"""Everything under `results/`: how each file is measured, read again and rendered.

`python -m experiments.results` (`make results`) measures on a clean commit what takes about an
hour in all. What takes days of training is rendered again from its JSON.
"""
