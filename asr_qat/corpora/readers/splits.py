"""What the readers of foreign layouts share: names of splits, and a corpus from them."""

import re
from pathlib import Path

from asr_qat.corpora.readers.hold_out import complete_splits
from asr_qat.corpora.utterance import SPLITS, Corpus, Utterance
from asr_qat.errors import UserError, require

_NAMES = {
    "train": ("train", "training"),
    "dev": ("dev", "devel", "development", "valid", "validation", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SPLIT_OF = {name: split for split, names in _NAMES.items() for name in names}
_NAMED_DUPLICATES = 3


def split_named(name: str) -> str | None:
    """The split that `name` is a usual name of, as it stands: `valid` is `dev`, `valid_1` none."""
    return _SPLIT_OF.get(name.lower())


def split_of(name: str, otherwise: str = "train") -> str:
    """The split that a file or folder is named after.

    It is the first word of the name that names one: `train_clean_100`, `libri-dev-other.json`,
    `validation-00000-of-00002.parquet`, `eval2000`.
    """
    words = re.split(r"[^a-z]+", name.lower())
    return next((_SPLIT_OF[word] for word in words if word in _SPLIT_OF), otherwise)


def named_files(paths: list[Path]) -> dict[str, list[Path]]:
    """Files or folders by the split that they are named after, in their order."""
    found: dict[str, list[Path]] = {split: [] for split in SPLITS}
    for path in paths:
        found[split_of(path.name)].append(path)
    return {split: named for split, named in found.items() if named}


def made_corpus(kind: str, path: Path, splits: dict[str, list[Utterance]]) -> Corpus:
    """The corpus of what was read of `path`; splits that are not there are held out of train.

    Args:
        kind: name of the reader.
        path: what it read.
        splits: utterances by split.

    Raises:
        UserError: no utterances, or several that have the same name.
    """
    nothing = f"{path}: nothing that --corpus {kind} reads: omit it to see what is recognised"
    require(any(splits.values()), nothing)
    check_unique(path, splits)
    splits, note = complete_splits(splits, str(path))
    return Corpus(
        name=kind,
        description=f"Recordings of {path.absolute().name}. {note}".strip(),
        licence="as its owner says",
        splits=splits,
    )


def check_unique(path: Path, splits: dict[str, list[Utterance]]) -> None:
    """Raise `UserError` that names utterances of the same name."""
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for utterances in splits.values():
        for utterance in utterances:
            if utterance.id in seen:
                twice[utterance.id] = None
            seen.add(utterance.id)
    if twice:
        named = ", ".join(map(repr, list(twice)[:_NAMED_DUPLICATES]))
        more = f" and {len(twice) - _NAMED_DUPLICATES} more" * (len(twice) > _NAMED_DUPLICATES)
        raise UserError(f"{path}: two utterances are called {named}{more}: rename one of each")


def beside(folder: Path, name: str) -> Path:
    """A file that a description in `folder` names.

    Relative names are looked for in the working directory, as Kaldi and Lhotse have it, and in
    `folder` and the folders above it, since recipes run there.
    """
    path = Path(name).expanduser()
    if path.is_absolute() or path.is_file():
        return path
    places = [folder, *folder.absolute().parents]
    return next((place / path for place in places if (place / path).is_file()), folder / path)
