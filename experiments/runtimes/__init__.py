"""Which versions of LiteRT compute files of which precisions, beside the least that is written."""
