"""CMU AN4: spelled names, addresses, digits and commands, 84 speakers, 16 kHz.

The official test set is all 130 utterances of 10 speakers. AN4 has no development set:
every 12th of the 74 training speakers in sorted order is held out for it (6 speakers, 79
utterances), and the other 68 speakers (869 utterances) are trained on.
"""

import re
from pathlib import Path

from asr_qat import files
from asr_qat.corpora.readers.hold_out import hold_out_speakers
from asr_qat.corpora.readers.unpack import unpacked
from asr_qat.corpora.utterance import Corpus, Utterance
from asr_qat.errors import UserError

DEV_EVERY = 12  # of the sorted training speakers
_LINE = re.compile(r"(?:<s>\s*)?(?P<text>.*?)\s*(?:</s>\s*)?\((?P<name>[^()]+)\)")


def read(path: Path) -> Corpus:
    """Read AN4 from `an4_sphere.tar.gz` or the folder `an4` unpacked from it.

    Raises:
        UserError: a damaged archive, or lists that are missing or do not fit together.
    """
    folder = path if path.is_dir() else unpacked(path) / "an4"
    training = _read_list(folder, "an4_train", "")
    train, dev = hold_out_speakers(training, DEV_EVERY, offset=DEV_EVERY - 1)
    # The plain test list of some releases is shorter: `.full130` is the whole official set.
    full = ".full130" if (folder / "etc/an4_test.fileids.full130").exists() else ""
    return Corpus(
        name="an4",
        description="CMU AN4 (Census): spelled names, addresses, digits and commands. Official "
        f"test set; dev is every {DEV_EVERY}th of the sorted training speakers.",
        licence="free for any use, BSD-like (Carnegie Mellon University)",
        splits={"train": train, "dev": dev, "test": _read_list(folder, "an4_test", full)},
    )


def _read_list(folder: Path, name: str, suffix: str) -> list[Utterance]:
    ids = _lines(folder / f"etc/{name}.fileids{suffix}")
    transcription = folder / f"etc/{name}.transcription{suffix}"
    texts = {}
    for number, line in enumerate(_lines(transcription), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise UserError(f"{transcription}: line {number} is not `WORDS (utterance)`: {line!r}")
        texts[match["name"]] = match["text"]
    return [
        Utterance(
            id=Path(file_id).name,
            audio_path=folder / "wav" / f"{file_id}.sph",
            text=texts.get(Path(file_id).name, ""),
            speaker=Path(file_id).parent.name,
        )
        for file_id in ids
    ]


def _lines(path: Path) -> list[str]:
    try:
        lines = files.read_lines(path)
    except FileNotFoundError:
        raise UserError(f"{path}: missing: unpack an4_sphere.tar.gz again") from None
    return [line.strip() for line in lines if line.strip()]
