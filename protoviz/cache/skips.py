"""The clips that a cache is without: which, of what kind, and why."""

import pandas as pd

from protoviz.datasets import ClipSet

COLUMNS = ("clip", "kind", "reason")


def unlisted(clips: ClipSet) -> list[list[str]]:
    """Return clip, kind and reason of what the data set left out, so that nobody tried to encode it."""
    left_out = clips.skipped[~clips.skipped["clip"].isin(clips.table["clip"])].drop_duplicates("clip")
    return [list(map(str, row)) for row in left_out[list(COLUMNS)].to_numpy()]


def skip_frame(meta: dict) -> pd.DataFrame:
    """Return clip, kind and reason of all clips that are not in a finished cache, the data set's first."""
    rows = [list(row) for row in meta.get("unlisted", ())]
    for record in meta["shards"]:
        again = set(record.get("again", ()))
        rows += [[clip, _kind(clip in again, reason), reason] for clip, reason in record["skipped"]]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=str)


def _kind(disk: bool, reason: str) -> str:
    """A word or two to count by, from how the writer of the cache begins its reasons."""
    if reason.startswith("FileNotFoundError"):
        return "missing"
    if disk:
        return "disk failed"
    if reason.startswith("its tokens"):
        return "tokens not finite"
    return "unreadable" if reason.split(":")[0].endswith(("Error", "Exception")) else "refused by the encoder"
