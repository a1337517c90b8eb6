"""What an entry of Kaldi's `wav.scp` stands for: a file, a place in an archive, or a pipe.

A pipe is a shell command, and a corpus is data: no command of it is ever run. But many of them
only decode one file, as `flac -c -d -s FILE |` of the LibriSpeech recipe and what Lhotse writes
for every recording; of those the file is read, by this project's decoder. Whatever else a pipe
does, with an effect, a cut or a second command, it is refused.
"""

import re
import shlex
from pathlib import Path

import soundfile

from asr_qat.audio.inside import AudioSource, FileRange
from asr_qat.corpora.readers.splits import beside
from asr_qat.errors import UserError, require

PIPE = (
    "a pipe that does more than decode one file, which is not run: write its output to files, by "
    "`wav-copy scp:wav.scp ark,scp:wav.ark,plain.scp`, and name plain.scp wav.scp"
)
_PLACE = re.compile(r"(.+):(\d+)")
_STDOUT = ("-", "pipe:1", "/dev/stdout")
# Options of the commands that decode a file, and whether they take a value.
_DECODERS = {
    "cat": {},
    "flac": dict.fromkeys(("-c", "-d", "-s", "-cd", "-dc", "-cds", "-dcs", "--silent"), False),
    "sph2pipe": {"-f": True, "-p": False, "-c": True},
    "sox": {"-t": True, "-r": True, "-b": True, "-e": True, "-c": True},
    "ffmpeg": {
        **dict.fromkeys(("-i", "-threads", "-ar", "-ac", "-f", "-map_channel"), True),
        **dict.fromkeys(("-v", "-loglevel", "-acodec", "-c:a"), True),
        **dict.fromkeys(("-nostdin", "-hide_banner", "-vn"), False),
    },
}
_CHANNEL = {"sph2pipe": "-c", "ffmpeg": "-map_channel"}  # options that choose one of several
_FIRST = ("1", "0.0.0")  # their values for the first channel


def kaldi_audio(entry: str, folder: Path) -> AudioSource:
    """The recording of an entry of the `wav.scp` in `folder`. Raises `UserError`."""
    if entry.endswith("|") or entry.startswith("|"):
        return piped_file(entry.strip("| "), folder)
    place = _PLACE.fullmatch(entry)
    if place is None:
        return beside(folder, entry)
    return _in_archive(beside(folder, place[1]), int(place[2]))


def piped_file(command: str, folder: Path) -> Path:
    """The file that a command decodes. Raises `UserError` if it may do anything else."""
    try:
        program, *words = shlex.split(command)
    except ValueError:
        raise UserError(PIPE) from None
    program = Path(program).name
    options = _DECODERS.get(program)
    require(options is not None, PIPE)
    assert options is not None
    files, channels = [], []
    rest = iter(words)
    for word in rest:
        if word in _STDOUT:
            continue
        if not word.startswith("-"):
            files.append(word)
            continue
        require(word in options, PIPE)
        value = next(rest, "") if options[word] else ""
        if word == "-i":
            files.append(value)
        if word == _CHANNEL.get(program):
            channels.append(value)
    require(len(files) == 1 and all(channel in _FIRST for channel in channels), PIPE)
    found = beside(folder, files[0])
    if channels and found.is_file():
        require(_channels(found) == 1, PIPE)  # else all of them would be mixed
    return found


def _channels(path: Path) -> int:
    try:
        return int(soundfile.info(path).channels)
    except soundfile.LibsndfileError:
        return 0


def _in_archive(path: Path, start: int) -> FileRange:
    """The recording at a byte of an archive: WAV, or encoded audio as kaldiio and ESPnet write it.

    The first has its length in its header, the second is `AUDIO`, the number of bytes of the
    length, the length, and so many bytes.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            head = file.read(16)
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    if head[:4] == b"RIFF":
        length = int.from_bytes(head[4:8], "little") + 8
    elif head[:5] == b"AUDIO":
        size = head[5]
        length = int.from_bytes(head[6 : 6 + size], "little")
        start += 6 + size
    else:
        raise UserError(f"no WAV at byte {start} of {path}: features, or another archive")
    return FileRange(path, f"{path.stem}:{start}", start, length)
