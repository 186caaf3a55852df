"""Run the benchmarks and print their ratios, with the goals that are missed.

Example: python -m tests.benchmarks decode replay
"""

import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

from tests.benchmarks.measure import Ratio

BENCHMARKS = ("decode", "transform", "parquet", "replay", "cold_start", "writes", "record_processor", "daemon")


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    if unknown := set(names) - set(BENCHMARKS):
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    console = Console(stderr=True)
    ratios: list[Ratio] = []
    for name in names or BENCHMARKS:
        with console.status(f"measuring {name}"):
            ratios += import_module(f"tests.benchmarks.{name}").compare()
    Console(width=150).print(table(ratios))


def table(ratios: list[Ratio]) -> Table:
    """Return ratios as a table: CPU time, medians of alternating rounds."""
    rows = Table("comparison", "Mailfold µs", "peer µs", "ratio", "lowest to highest", "goal", "", "note")
    for ratio in ratios:
        rows.add_row(
            ratio.name,
            f"{ratio.mailfold_us:.2f}",
            f"{ratio.peer_us:.2f}",
            f"{ratio.ratio:.2f}",
            f"{ratio.low:.2f} to {ratio.high:.2f}",
            f"{'≤' if ratio.at_most else '≥'} {ratio.goal:g}",
            "reached" if ratio.reached else "MISSED",
            ratio.note,
        )
    return rows


if __name__ == "__main__":
    main(sys.argv[1:])
