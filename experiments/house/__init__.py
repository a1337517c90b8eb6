"""What the project promises of itself, measured: each promise is a row with a target.

`python -m experiments.house` measures and writes `results/house.json`. A row is a function in
`device_rows` or a module like it; `__main__` lists these modules.
"""
