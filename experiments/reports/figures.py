"""Figures as PNG files, and as SVG elements whose ink is the colour of the text around them."""

import io
import textwrap
from pathlib import Path
from typing import Literal

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asr_qat import files

SVG_METADATA = ("Creator", "Date", "Format", "Type")  # omitted
# Of Okabe and Ito's kind: told apart by people who do not see red or green.
COLOURS = {"float": "#7f7f7f", "ptq": "#d9822b", "fake-qat": "#009e73", "native-qat": "#2f80e4"}
INK = "#010203"  # stands for the page's text colour in the SVG


def write_png(figure: Figure, path: str | Path, notice: str | None = None) -> None:
    """Write a figure on white.

    Args:
        figure: to write.
        path: file to write.
        notice: becomes the title, as the picture may travel without the page.
    """
    if notice:
        figure.suptitle("\n".join(textwrap.wrap(notice, 90)), fontsize="small")
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=160, facecolor="white")


def svg_element(figure: Figure, title: str, salt: str) -> Markup:
    """The figure as an `<svg>` element.

    Args:
        figure: what is drawn in `INK` takes the colour of the text around it.
        title: for those who cannot see it.
        salt: different for each figure of a page; the same gives the same bytes.
    """
    content = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": salt}):
        figure.savefig(
            content, format="svg", transparent=True, metadata=dict.fromkeys(SVG_METADATA)
        )
    svg = content.getvalue()
    element = svg[svg.index("<svg") :].replace(INK, "currentColor")
    label = f'<svg role="img" aria-label="{escape(title)}"'
    return Markup(element.replace("<svg", label, 1))


def ink(axes: Axes, grid: Literal["both", "x", "y"] = "both") -> None:
    """Axes and their labels in `INK`, with a faint grid and no frame."""
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.grid(axis=grid, color=INK, alpha=0.12)
