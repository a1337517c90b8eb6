"""The default corpus: AN4's kinds of utterances, spoken by espeak-ng, in noise.

No human speaks here. It exists because a machine that reaches PyPI can make it: the same
recordings every time, from one small package. Test voices are never trained on, but they
are of the same synthesiser, and clearer and more alike than people: error rates say that
training works, not how well a recogniser does on people.

Splits share no voice (see `synthetic_voices`). Sentences are drawn anew for each split from
one grammar (`synthetic_grammar`); commands and a few short ones occur in several.
"""

import dataclasses
import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import soundfile

from asr_qat.corpora.cache import cache_folder
from asr_qat.corpora.synthetic.audio import SAMPLE_RATE, record
from asr_qat.corpora.synthetic.espeak_package import VERSION, unpack
from asr_qat.corpora.synthetic.grammar import VOCABULARY, sentence
from asr_qat.corpora.synthetic.voices import ACCENTS, VARIANTS
from asr_qat.corpora.utterance import SPLITS, Corpus, Utterance
from asr_qat.errors import UserError
from asr_qat.leftovers import temporary_folder

SENTENCES = {"train": 6, "dev": 4, "test": 4}  # of each voice: a variant in an accent
RATE = (100, 150)  # words a minute
PITCH = (35, 65)  # 50 is that of the variant
GAP = (2, 10)  # between words, hundredths of a second besides what the synthesiser makes
SEED = 0
RECIPE = 1  # raise it when the audio of the same plan becomes another
_LETTER_A = "[[eI]]"  # the phoneme: `a` alone would be the article


@dataclasses.dataclass(frozen=True)
class Recording:
    """What espeak-ng is asked to say.

    Attributes:
        id: of the utterance.
        text: its words.
        voice: accent and variant.
        rate: words a minute.
        pitch: 0 to 100.
        gap: silence between words, hundredths of a second.
    """

    id: str
    text: str
    voice: str
    rate: int
    pitch: int
    gap: int


def read(path: Path) -> Corpus:
    """Read the corpus from the wheel of espeak-ng (see `espeak_package`).

    It is spoken into the cache folder the first time.

    Raises:
        UserError: a damaged wheel, or an espeak-ng that does not work here.
    """
    recordings = plan()
    folder = spoken(path, recordings)
    splits = {
        split: [
            Utterance(
                id=recording.id,
                audio_path=folder / f"{recording.id}.wav",
                text=recording.text,
                speaker=recording.voice,
            )
            for recording in recordings[split]
        ]
        for split in SPLITS
    }
    return Corpus(
        name="synthetic",
        description=f"SYNTHETIC VOICES: commands, spelled strings, digits, dates and addresses "
        f"({len(VOCABULARY)} words), spoken by espeak-ng in noise. The {len(VARIANTS['test'])} "
        f"test voices, each in {len(ACCENTS)} accents, are never heard in training, but are of "
        "the same synthesiser. Good for trying the tools, not for judging a recogniser.",
        licence="free for any use: the output of espeak-ng, itself GPL 3.0 or later",
        splits=splits,
    )


def plan() -> dict[str, list[Recording]]:
    """The recordings of each split; the same every time."""
    return {split: _plan_split(split) for split in SPLITS}


def _plan_split(split: str) -> list[Recording]:
    chance = random.Random(f"{SEED} {split}")
    return [
        Recording(
            id=f"{split}-{variant}-{accent}-{number}",
            text=sentence(chance),
            voice=f"{accent}+{variant}",
            rate=chance.randint(*RATE),
            pitch=chance.randint(*PITCH),
            gap=chance.randint(*GAP),
        )
        for variant in VARIANTS[split]
        for accent in ACCENTS
        for number in range(1, SENTENCES[split] + 1)
    ]


def spoken(wheel: Path, recordings: Mapping[str, list[Recording]]) -> Path:
    """The cache's folder of recordings, one WAV file `ID.wav` for each of them.

    They are spoken the first time. Args and errors are those of `read`.

    Args:
        wheel: of espeak-ng.
        recordings: by split; other recordings of the same splits have a folder of their own.
    """
    everything = [dataclasses.asdict(each) for split in recordings.values() for each in split]
    described = json.dumps([VERSION, RECIPE, everything])
    digest = hashlib.sha256(described.encode()).hexdigest()[:8]
    folder = cache_folder() / f"synthetic-{digest}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(folder.name, folder.parent) as temporary:
        _speak(wheel, everything, temporary)
        for index, each in enumerate(everything):
            recording = temporary / f"{each['id']}.wav"
            speech, rate = soundfile.read(recording, dtype="float32")
            if not speech.any():
                raise UserError(f"{wheel}: espeak-ng is silent on this machine: use --corpus an4")
            audio = record(speech, rate, (SEED, index))
            soundfile.write(recording, audio, SAMPLE_RATE, subtype="PCM_16")
        temporary.replace(folder)
    return folder


def _speak(wheel: Path, recordings: list[dict], folder: Path) -> None:
    """Have one new process say all `recordings`, in order: see `espeak_process`."""
    library, data = unpack(wheel)
    lines = "".join(
        json.dumps({**each, "text": _pronounced(each["text"])}) + "\n" for each in recordings
    )
    command = [sys.executable, "-m", "asr_qat.corpora.synthetic.espeak_process"]
    command += [str(library), str(data), str(folder)]
    done = subprocess.run(command, input=lines, capture_output=True, text=True)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise UserError(
            f"{wheel}: espeak-ng does not work on this machine ({reason}): use --corpus an4"
        )


def _pronounced(text: str) -> str:
    """What to give to espeak-ng: it would spell some words in capitals."""
    return " ".join(_LETTER_A if word == "A" else word.lower() for word in text.split())
