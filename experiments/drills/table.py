"""`results/drills.json` in Markdown."""

from experiments.drills.rows import DrillResults
from experiments.reports.markdown import markdown_table


def drills_table(found: DrillResults) -> str:
    """The page, which opens with the answer."""
    met = sum(row.met is True for row in found.targets)
    cases = sum(row.cases for row in found.rows)
    minutes = sum(row.seconds for row in found.rows) / 60
    first = (
        f"**{met} of {len(found.targets)} targets met.** {cases} drills in {minutes:.0f} minutes, "
        f"seed {found.seed}.\n\n"
    )
    header = ["Drill", "Command", "How", "Cases", "Same result", "One line", "Wrong", "Left"]
    rule = ["---"] * 3 + ["---:"] * 5
    rows = [
        [
            *(row.kind, f"`{row.command}`", row.how),
            *(str(n) for n in (row.cases, row.same, row.said, row.wrong, row.left)),
        ]
        for row in found.rows
    ]
    problems = "".join(f"\n- {line}" for line in found.problems)
    return first + markdown_table([header, rule, *rows]) + (f"\n{problems}\n" if problems else "")
