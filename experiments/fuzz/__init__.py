"""Damaged and hostile input, made from seeds as it is needed: nothing goes wrong without a word.

`python -m experiments.fuzz` (`make fuzz`) writes `results/fuzz.json`. A module of `targets` is one
kind of input: it makes valid instances, and changes one of them for each case by chance. A case is
all that comes of its seed and its number, so that it can be repeated. The product may accept a
case and give what it gives for the valid instance, refuse it by a `UserError`, or say what differs.
Everything else is counted: other exceptions, a process that ends, no answer, and a silent
difference.
"""
