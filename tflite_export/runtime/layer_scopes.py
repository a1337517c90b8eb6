"""Layers as scopes in the names of tensors, so that viewers of graphs draw boxes in boxes.

`block_03_attention_query` is `block_03/attention_query` there. Layers outside of blocks (see
`asr_qat.models.layer_names`) have their own names, as all have in a file without scopes.
"""

import re

_LAYER = re.compile(r"^((?:block|cascade)_\d+)_")
_SCOPE = re.compile(r"^((?:block|cascade)_\d+)/")


def scope_of(layer: str) -> str:
    """The scope of a layer."""
    return _LAYER.sub(r"\1/", layer)


def layer_of(scope: str) -> str:
    """The layer that a scope is of."""
    return _SCOPE.sub(r"\1_", scope)
