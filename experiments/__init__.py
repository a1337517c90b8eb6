"""What is measured with the two packages: studies, comparisons, benchmarks, and their pages.

Everything under `results/` is written by a command of this package. The commands are typed as
`asr-qat ...` and `tflite-export ...`; `setup.cfg` says which module each one is in.
Nothing in `asr_qat` and `tflite_export` imports this package.
"""
