"""The subcommands of asr-qat, one file each."""
