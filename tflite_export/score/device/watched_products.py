"""Every product of a file beside what its own integers give, whenever a signature has run."""

from collections.abc import Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from asr_qat.arrays import Array
from tflite_export.convert.labelled import layer_of_product, products
from tflite_export.convert.serialize import serialize
from tflite_export.score.device.file_product import SMALLEST, FileProduct, has_integers
from tflite_export.score.device.report import CheckedProduct
from tflite_export.score.device.watch import PROBE, watch


class WatchedProducts:
    """The products of a file.

    Args:
        model: a flatbuffer object, changed in place.

    Attributes:
        content: of the file whose signatures have further outputs.
        unchecked: layers with a product of a kind that is not known here.
    """

    def __init__(self, model: schema.ModelT):
        self._rows: dict[str, _Rows] = {}  # by layer: a product may be in several signatures
        self._found: dict[str, FileProduct] = {}  # by probe
        unpacked: dict[int, Array] = {}
        unchecked = set()
        for number, (graph, operator) in enumerate(list(products(model))):
            if not has_integers(graph, operator):
                continue
            try:
                product = FileProduct(model, graph, operator, unpacked)
            except NotImplementedError:
                unchecked.add(layer_of_product(graph, operator))
                continue
            probe = f"{PROBE}{number}"
            self._found[probe] = product
            self._rows.setdefault(product.layer, _Rows(product))
            watch(model, graph, operator, probe)
        self.unchecked = tuple(sorted(unchecked))
        self.content = serialize(model)

    def check(self, outputs: Mapping[str, Array]) -> dict[str, Array]:
        """A signature's outputs without those of its products, which are compared."""
        for probe, product in self._found.items():
            if f"{probe}/input" in outputs:
                self._rows[product.layer].add(
                    product, outputs[f"{probe}/input"], outputs[f"{probe}/output"]
                )
        return {name: value for name, value in outputs.items() if not name.startswith(PROBE)}

    def summary(self) -> tuple[CheckedProduct, ...]:
        """A row for each layer whose product has run, in graph order."""
        return tuple(rows.summary() for rows in self._rows.values() if rows.rows)


class _Rows:
    """What was found of the product of one layer, in any signature."""

    def __init__(self, product: FileProduct):
        self._product = product
        self.rows = self._ties = 0
        self._errors: list[Array] = []
        self._low, self._high = np.inf, -np.inf

    def add(self, product: FileProduct, given: Array, got: Array) -> None:
        """Compare one output."""
        found = product.compare(given, got)
        self.rows += len(found.errors)
        self._ties += int(found.ties.sum())
        self._errors.append(found.errors)
        floats = product.floats(got)
        self._low = min(self._low, float(floats.min()))
        self._high = max(self._high, float(floats.max()))

    def summary(self) -> CheckedProduct:
        """The row of the report."""
        spread = max(self._high - self._low, SMALLEST)
        shares, bound = np.concatenate(self._errors) / spread, self._product.most(spread) / spread
        return CheckedProduct(
            layer=self._product.layer,
            kind=self._product.kind,
            rows=self.rows,
            ties=self._ties,
            unexplained=int((~(shares <= bound)).sum()),  # what is no number, too
            max_error=float(shares.max()),
            bound=bound,
        )
