"""The subcommands of tflite-export, one file each."""
