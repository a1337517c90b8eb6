"""`python -m tflite_export` is the `tflite-export` command."""

from tflite_export.cli import main

if __name__ == "__main__":
    main()
