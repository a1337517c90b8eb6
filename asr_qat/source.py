"""Where the weights of an imported model come from."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the weights of an imported model come from.

    Attributes:
        name: of the checkpoint, as those who trained it call it.
        sha256: of the archive, or of all files with weights in the order of their names.
        library: that it was made with, `nemo` or `transformers`.
        version: of the library, null if the checkpoint does not say.
        licence: of the weights, null if unknown.
        attribution: who is to be named with them, null if unknown.
    """

    name: str
    sha256: str
    library: str
    version: str | None = None
    licence: str | None = None
    attribution: str | None = None
