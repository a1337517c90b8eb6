"""The results of `python -m experiments.runtimes` in Markdown."""

from experiments.reports.markdown import markdown_columns
from experiments.reports.targets import NONE, met_of, targets_table
from experiments.runtimes.rows import DIFFERS, FileRow, RuntimesResults


def runtimes_table(found: RuntimesResults) -> str:
    """The promises, what each runtime makes of each file, the least versions, the messages."""
    precisions = list(dict.fromkeys(row.precision for row in found.rows))
    runtimes = dict.fromkeys((row.package, row.version, row.interface) for row in found.rows)
    cells = {
        (row.package, row.version, row.interface, row.precision): _cell(row) for row in found.rows
    }
    columns = ["Runtime", "Interface", *(f"`{precision}`" for precision in precisions)]
    rows = [
        [f"{package} {version}", interface]
        + [cells.get((package, version, interface, precision), NONE) for precision in precisions]
        for package, version, interface in runtimes
    ]
    least = [
        [f"`{row.precision}`", row.written, row.measured or "none of them"] for row in found.least
    ]
    least_table = markdown_columns(["Precision", "Written", "Measured"], least, 2)
    said: dict[str, list[str]] = {}
    for row in found.rows:
        if row.message:
            name = f"{row.package} {row.version}, {row.interface}, `{row.precision}`"
            said.setdefault(row.message, []).append(name)
    lines = [f"- `{message}`: {names[0]}{_more(names)}" for message, names in said.items()]
    parts = [
        f"{met_of(found.targets)}\n",
        f"Products of each precision alone, and `{found.model}` as a whole, on noise, beside "
        f"the interpreter of LiteRT {found.reference}: the largest difference of a product and, "
        "in parentheses, of a logit, as shares of their ranges. A bold one is wrong. A last bit "
        "of the float arithmetic between products may push an activation of 8 bits over a "
        f"rounding edge, and all that follows.\n\n{markdown_columns(columns, rows, 2)}",
        "The least LiteRT that a file asks for, and the one from which on interpreter and "
        f"`CompiledModel` compute the same products:\n\n{least_table}",
    ]
    if lines:
        parts.append("Why files do not run:\n\n" + "\n".join(lines) + "\n")
    parts.append(f"All targets:\n\n{targets_table(found.targets)}")
    return "\n".join(parts)


def _cell(row: FileRow) -> str:
    if row.product is None or row.model is None:
        return row.outcome
    if row.product == row.model == 0:
        return "same"
    both = f"{row.product:.0e} ({row.model:.0e})"
    return f"**{both}**" if row.outcome == DIFFERS else both


def _more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""
