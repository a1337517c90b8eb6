"""What people expect of a recogniser, measured: hours, times of words, language models."""
