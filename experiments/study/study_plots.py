"""The pictures of a study, as far as there is something to show."""

import dataclasses
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from experiments.reports.figures import svg_element, write_png
from experiments.reports.page_parts import anchor
from experiments.sensitivity import sensitivity_report
from experiments.study import moved_errors_plot, overview_plot, size_plot, weight_histogram_plot
from experiments.study.moved_errors import Moved
from experiments.study.saved_study import Saved


@dataclasses.dataclass(frozen=True)
class Plot:
    """A picture.

    Attributes:
        name: stem of its file.
        title: what it shows.
        caption: how to read it.
        figure: the picture itself.
    """

    name: str
    title: str
    caption: str
    figure: Figure

    @property
    def anchor(self) -> str:
        """The title as a fragment of an address."""
        return anchor(self.title)

    def svg(self) -> Markup:
        """For a page."""
        return svg_element(self.figure, self.title, self.name)

    def write(self, folder: Path, notice: str | None) -> Path:
        """As a PNG file in `folder`, with a notice above it or without. Returns its path."""
        path = folder / f"{self.name}.png"
        write_png(self.figure, path, notice)
        return path


def overview(study: Saved) -> Plot | None:
    """Word errors against size and the verdicts, if files are compared with float32."""
    if not any(row.has_file for row in study.compared):
        return None
    return Plot(
        "overview",
        overview_plot.TITLE,
        "Each file's word errors beyond those of float32 (all seeds and scored splits), with the "
        "interval that its verdict goes by. The band is the margin: an interval within it is "
        "lossless (filled marker). Differences above "
        f"{overview_plot.LINEAR_POINTS:g} points are drawn logarithmically.",
        overview_plot.overview_figure(study),
    )


def size(study: Saved) -> Plot | None:
    """Word error rate against size, if there are files."""
    if not any(row.has_file for row in study.variants):
        return None
    return Plot(
        "wer_size",
        size_plot.TITLE,
        f"Above: mean WER of {study.splits[0]}, bars from the least to the greatest of the seeds. "
        "Below: the paired difference to float32 with its 95% interval, all splits; if large, "
        f"drawn to scale up to {size_plot.LINEAR_POINTS:g} points alone. Lines join the uniform "
        "precisions of a method; files of one size are drawn side by side.",
        size_plot.size_figure(study),
    )


def sensitivity(study: Saved) -> Plot | None:
    """Sensitivity of the layers, if it was measured."""
    if study.sensitivity is None:
        return None
    return Plot(
        "sensitivity",
        sensitivity_report.TITLE,
        "The weights of one layer alone are quantized, all others stay float, and the model reads "
        f"{study.sensitivity.utterances:,} utterances of development data. Above: how far it "
        "moves from the float model, what mixtures are chosen by; below: the rise of the loss of "
        "the transcripts, where few utterances give luck a large part. Darker: more sensitive; the "
        "colours are logarithmic.",
        sensitivity_report.sensitivity_figure(study.sensitivity),
    )


def weights(study: Saved) -> list[Plot]:
    """Weights of each cell before and after training, if they were counted."""
    return [
        Plot(
            f"weights_{cell}",
            f"{weight_histogram_plot.TITLE}: {cell}",
            "The largest layers of the middle block. Lines: float weights in steps of the "
            "quantizer, before and after training, those beyond its grid at the edge; bars: the "
            "integers that the trained weights are rounded to. Bits: the entropy of the integers, "
            "of the float model quantized after training and of the trained one.",
            weight_histogram_plot.histogram_figure(layers),
        )
        for cell, layers in (study.histograms or {}).items()
        if layers
    ]


def errors(study: Saved, moved: list[Moved]) -> Plot | None:
    """Where the errors moved, if there are quantized cells."""
    chosen = moved_errors_plot.chosen(study, moved)
    if not chosen:
        return None
    return Plot(
        "errors_moved",
        "Words and utterances whose errors moved",
        "Left: words that moved most often: lost, if float recognised them, or won, if it did "
        "not. Middle: errors by kind. Right: utterances by their errors in float and quantized, "
        "the larger the more of them.",
        moved_errors_plot.errors_figure(chosen),
    )
