"""Speech corpora, from what was downloaded or recorded to the batches of a training.

Each corpus has a reader, listed in `readers.registry`, that makes a `Corpus` (`utterance`).
`prepare` writes it as a folder, which `prepared` describes, and `dataset` makes batches of that.
"""
