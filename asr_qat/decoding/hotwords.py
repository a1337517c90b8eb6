"""Words and phrases that a search should rather find."""

from collections.abc import Iterable
from dataclasses import dataclass, field

SPACE = 0x20


@dataclass
class _Node:
    """A place within phrases: their letters up to here.

    Attributes:
        following: by the next byte.
        words: whole words before the one at hand.
        share: how much of the word at hand is there, of the phrase that is nearest to its end.
        ends: whether a phrase may end here.
    """

    following: dict[int, "_Node"] = field(default_factory=dict)
    words: int = 0
    share: float = 0.0
    ends: bool = False


@dataclass(frozen=True)
class HotState:
    """What of the phrases has been said.

    Attributes:
        found: words that belong to whole phrases; each counts once.
        since: whole words since the last one of these.
        partial: words, or parts of words, of a phrase that has begun.
        nodes: of all phrases that have begun.
    """

    found: int
    since: int
    partial: float
    nodes: tuple[_Node, ...]

    @property
    def words(self) -> float:
        """Words and parts of words that are boosted."""
        return self.found + self.partial


class Hotwords:
    """All phrases at once, letter by letter: they may begin with any word of a text.

    Each word of a phrase counts in equal parts as its letters are said, so that a search that
    drops hypotheses early does not drop it; when the phrase does not go on, all of that is taken
    back.

    Args:
        phrases: in the spelling of the texts that are searched; empty ones count for nothing.

    Attributes:
        vocabulary: their words in UTF-8.
        start: the state before the first letter.
    """

    def __init__(self, phrases: Iterable[str]):
        self._root = _Node()
        self.vocabulary: set[bytes] = set()
        for phrase in phrases:
            self._add(phrase.split())
        self.start = HotState(0, 0, 0.0, (self._root,))

    def _add(self, words: list[str]) -> None:
        if not words:
            return
        node = self._root
        for index, word in enumerate(words):
            letters = word.encode()
            self.vocabulary.add(letters)
            for at, byte in enumerate(letters, start=1):
                node = node.following.setdefault(byte, _Node(words=index))
                node.share = max(node.share, at / len(letters))
            if index + 1 < len(words):
                node = node.following.setdefault(SPACE, _Node(words=index + 1))
        node.ends = True

    def letters(self, state: HotState, letters: bytes) -> HotState:
        """The state after more letters of a word."""
        nodes = state.nodes
        for byte in letters:
            nodes = tuple(n.following[byte] for n in nodes if byte in n.following)
            if not nodes:
                break
        return self._state(state.found, state.since, nodes)

    def end_word(self, state: HotState) -> HotState:
        """The state after a word that is over."""
        found, since = state.found, state.since + 1
        whole = max((node.words + 1 for node in state.nodes if node.ends), default=0)
        if whole:
            found, since = found + min(whole, since), 0
        going = [n.following[SPACE] for n in state.nodes if SPACE in n.following]
        return self._state(found, since, (*going, self._root))

    def _state(self, found: int, since: int, nodes: tuple[_Node, ...]) -> HotState:
        partial = max((min(node.words, since) + node.share for node in nodes), default=0.0)
        return HotState(found, since, partial, nodes)
