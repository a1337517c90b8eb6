"""`python -m asr_qat` is the `asr-qat` command."""

from asr_qat.cli import main

if __name__ == "__main__":
    main()
