"""The default corpus: the English prompts of the Asterisk telephone exchange.

One professional speaker, Allison Smith; 8 kHz recordings resampled to 16 kHz, so that
nothing lies above 4 kHz; CC BY-SA 3.0. Its only merit is that every Debian archive has it:
error rates on it say that training works, not how well a recogniser does on other voices.

Utterances are of two kinds: whole prompts of several words, as recorded, and strings
composed of single-word prompts (letters, digits, the phonetic alphabet, commands) with
short pauses.

No recording of dev or test is in train, whole or inside a string:

- Sentences of several words, in sorted order: every 10th from the 5th goes to dev, every
  10th from the 10th to test, with all recordings of that sentence.
- A single-word prompt can be held out only if the word is heard in train elsewhere: in at
  least `MIN_HEARD` sentences, and no single letter, since these are hardly ever spelled
  there. Of these prompts in sorted order, one third each stays in train, goes to dev and
  goes to test. Strings of a split are composed of that split's prompts alone.

So test holds sentences that were never trained on, whose words may be new to the model too,
and strings of known words (a few digits and commands; no letters) in unheard recordings and
orders. The speaker is known.
"""

import collections
import dataclasses
import hashlib
import json
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from asr_qat.corpora.asterisk_package import unpack
from asr_qat.corpora.asterisk_text import read_texts
from asr_qat.corpora.cache import cache_folder
from asr_qat.corpora.utterance import SPLITS, Corpus, Utterance

SAMPLE_RATE = 16000
MIN_HEARD = 5  # sentences of train that hold a word whose own prompt may be held out
WORDS = (2, 6)  # in a composed string
PAUSE_S = (0.0, 0.2)  # between its words, besides the silence that the prompts have
PASSES = 10  # times that every single-word prompt is used
SEED = 0


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one utterance is made.

    Attributes:
        id: of the utterance.
        text: its words.
        prompts: names of the recordings that it is made of, such as `digits/1`.
        pauses: seconds of silence after each but the last.
    """

    id: str
    text: str
    prompts: tuple[str, ...]
    pauses: tuple[float, ...] = ()


def read(path: Path) -> Corpus:
    """Read the corpus from a folder with the two Debian packages (see `asterisk_package`).

    The recordings are resampled and composed into the cache folder the first time.

    Raises:
        UserError: a damaged package, or one with other contents.
    """
    sounds, text_file = unpack(path)
    texts = {
        name: text
        for name, text in read_texts(text_file).items()
        if (sounds / f"{name}.wav").is_file()
    }
    recipes = plan(texts)
    folder = _recordings(sounds, recipes)
    splits = {
        split: [
            Utterance(
                id=recipe.id,
                audio_path=folder / f"{recipe.id}.wav",
                text=recipe.text,
                speaker="allison-smith",
            )
            for recipe in recipes[split]
        ]
        for split in SPLITS
    }
    composed = sum(len(recipe.prompts) > 1 for split in SPLITS for recipe in recipes[split])
    total = sum(map(len, splits.values()))
    return Corpus(
        name="asterisk",
        description="Asterisk's English telephone prompts. ONE SPEAKER (Allison Smith) in all "
        f"splits, 8 kHz resampled to 16 kHz; {composed} of the {total} utterances are composed "
        "of single-word recordings. No recording of dev or test is in train. Good for trying "
        "the tools, not for judging a recogniser.",
        licence="CC BY-SA 3.0 (Allison Smith, Digium, Inc.)",
        splits=splits,
    )


def plan(texts: dict[str, str]) -> dict[str, list[Recipe]]:
    """The utterances of each split, from the words of each prompt; the same every time."""
    sentences = sorted({text for text in texts.values() if " " in text})
    split_of = {text: "train" for text in sentences}
    split_of |= {text: "dev" for text in sentences[4::10]}
    split_of |= {text: "test" for text in sentences[9::10]}
    recipes: dict[str, list[Recipe]] = {split: [] for split in SPLITS}
    for name, text in sorted(texts.items()):
        if text in split_of:
            recipes[split_of[text]].append(Recipe(name.replace("/", "-"), text, (name,)))
    words = _split_words(texts, [text for text in sentences if split_of[text] == "train"])
    for split in SPLITS:
        recipes[split] += _compose(split, words[split], texts)
    return recipes


def _split_words(texts: dict[str, str], trained_sentences: list[str]) -> dict[str, list[str]]:
    """Names of the single-word prompts of each split."""
    heard = collections.Counter(word for text in trained_sentences for word in set(text.split()))
    single = sorted((text, name) for name, text in texts.items() if " " not in text)
    candidates = [name for text, name in single if len(text) > 1 and heard[text] >= MIN_HEARD]
    dev, test = candidates[1::3], candidates[2::3]
    held_out = {*dev, *test}
    train = [name for _, name in single if name not in held_out]
    return {"train": train, "dev": dev, "test": test}


def _compose(split: str, names: list[str], texts: dict[str, str]) -> Iterator[Recipe]:
    """Strings that use every prompt of `names` equally often."""
    chance = random.Random(f"{SEED} {split}")
    deck = [name for _ in range(PASSES) for name in chance.sample(names, len(names))]
    number = 0
    while deck:
        count = chance.randint(*WORDS)
        prompts, deck = deck[:count], deck[count:]
        if len(prompts) < WORDS[0]:
            return
        number += 1
        yield Recipe(
            id=f"composed-{split}-{number:04d}",
            text=" ".join(texts[name] for name in prompts),
            prompts=tuple(prompts),
            pauses=tuple(round(chance.uniform(*PAUSE_S), 3) for _ in prompts[1:]),
        )


def _recordings(sounds: Path, recipes: dict[str, list[Recipe]]) -> Path:
    """The cache's folder of 16 kHz recordings, one WAV file for each recipe."""
    everything = [recipe for split in SPLITS for recipe in recipes[split]]
    described = json.dumps([dataclasses.asdict(recipe) for recipe in everything])
    digest = hashlib.sha256(described.encode()).hexdigest()[:8]
    folder = cache_folder() / f"asterisk-16k-{digest}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        for recipe in everything:
            audio = _render(sounds, recipe)
            soundfile.write(temporary / f"{recipe.id}.wav", audio, SAMPLE_RATE, subtype="PCM_16")
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _render(sounds: Path, recipe: Recipe) -> np.ndarray:
    """The samples of one utterance, float32 `[samples]` in [-1, 1]."""
    pieces = []
    for index, name in enumerate(recipe.prompts):
        audio, rate = soundfile.read(sounds / f"{name}.wav", dtype="float32")
        pieces.append(soxr.resample(audio, rate, SAMPLE_RATE))
        if index < len(recipe.pauses):
            pieces.append(np.zeros(round(recipe.pauses[index] * SAMPLE_RATE), np.float32))
    return np.clip(np.concatenate(pieces), -1.0, 1.0)
