"""Files without their names: libraries take what a name says for what a file is."""

from typing import BinaryIO


class Unnamed:
    """Bytes to read, whatever they are called.

    soundfile asks for the rate of what is called `.raw`, and FFmpeg takes it for pictures.
    """

    def __init__(self, file: BinaryIO):
        self.read, self.seek, self.tell = file.read, file.seek, file.tell
