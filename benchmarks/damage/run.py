"""The tries of all kinds: a process a kind, begun again behind a try that ended it or took too long."""

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.damage.kind import Try, kind_named

TRIES = 200
SECONDS = 30.0  # of a try
BEGIN = 300.0  # s until a process has made and read the good files
CHECKOUT = Path(__file__).resolve().parents[2]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1"}


@dataclass(frozen=True)
class Row:
    """A kind and how its tries ended."""

    kind: str
    tries: tuple[Try, ...]

    def count(self, outcome: str) -> int:
        return Counter(one.outcome for one in self.tries)[outcome]

    @property
    def faults(self) -> list[Try]:
        """The tries that should not end so: of kinds that carry no sum, silent ones are none."""
        wrong = {"heavy", "slow", "raw", *(() if kind_named(self.kind).blind else ("silent",))}
        return [one for one in self.tries if one.outcome in wrong]


def measured(
    name: str, tries: int = TRIES, seed: int = 0, work: Path | None = None, seconds: float = SECONDS
) -> Row:
    """The row of a kind; work: where its good files are made, for several; seconds: of a try at most."""
    with tempfile.TemporaryDirectory() as folder:
        found: list[Try] = []
        while len(found) < tries:
            found += _batch(name, work or Path(folder), (len(found), tries, seed), seconds)
        return Row(name, tuple(found))


def _batch(name: str, folder: Path, asked: tuple[int, int, int], seconds: float) -> Iterator[Try]:
    """Tries from one process, as far as it comes; the one that ended it is the last."""
    first, last, _ = asked
    command = [
        sys.executable,
        "-m",
        "benchmarks.damage.child",
        name,
        str(folder),
        *map(str, asked),
    ]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, bufsize=0, env=os.environ | ONE_THREAD
        ) as process,
    ):
        number = first - 1  # the line before the first says that all is ready
        while number < last:
            ready, _, _ = select.select([process.stdout], [], [], seconds if number >= first else BEGIN)
            line = process.stdout.readline() if ready else b""
            if line:
                if number >= first:
                    yield Try(**json.loads(line))
                number += 1
                continue
            process.kill()
            code = process.wait()
            errors.seek(0)
            said = errors.read().decode(errors="replace")[-2000:]
            if number < first:
                raise SystemExit(f"{name}: no try could begin\n{said}")
            if ready:
                yield Try(number, "raw", "", f"the process ended with {code}\n{said}")
            else:
                yield Try(number, "slow", "", f"longer than {seconds:g} s", seconds)
            return


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """A row a kind: how many tries, and how they ended."""
    shown = ("held", "same", "silent", "raw", "slow", "heavy")
    return pd.DataFrame(
        [
            {"kind": row.kind, "tried": len(row.tries), **{one: row.count(one) for one in shown}}
            for row in rows
        ]
    )


def main(asked: Sequence[str] | None = None) -> None:
    """The command: prints the table and ends with 1 where damage was not held."""
    from benchmarks.damage.kinds import KINDS

    parser = argparse.ArgumentParser("python -m benchmarks damage", description=__doc__)
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="repeatable; all if absent")
    parser.add_argument("--tries", type=int, default=TRIES, help="of a kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path, help="write the table there")
    parser.add_argument("--json", type=Path, help="write every try there")
    parser.add_argument("--show", default="", help="outcomes of which each try is printed, commas between")
    options = parser.parse_args(asked)
    rows, console = [], Console()
    with tempfile.TemporaryDirectory() as work:
        for name in options.kind or KINDS:
            console.print(f"[dim]{name}[/dim]", highlight=False)
            rows.append(measured(name, options.tries, options.seed, Path(work)))
            for one in rows[-1].tries:
                if one.outcome in options.show.split(","):
                    console.print(f"{one.outcome} {one.number}: {one.harm}\n{one.detail}", markup=False)
    frame = table(rows)
    _print(console, frame)
    if options.csv:
        frame.to_csv(options.csv, index=False)
    if options.json:
        options.json.write_text(json.dumps({row.kind: [asdict(one) for one in row.tries] for row in rows}))
    if faults := {row.kind: len(row.faults) for row in rows if row.faults}:
        raise SystemExit(f"not held: {faults}")


def _print(console: Console, frame: pd.DataFrame) -> None:
    shown = Table(*frame.columns)
    for row in frame.itertuples(index=False):
        shown.add_row(*map(str, row))
    console.print(shown)
    for name in frame.kind:
        if kind_named(name).blind:
            console.print(f"{name}: silent where nothing can know: {kind_named(name).blind}", soft_wrap=True)
