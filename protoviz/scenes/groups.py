"""Clips that come from one source: which ones a pattern puts together, and splits that never part them."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping


def group_by(pattern: str | None) -> Callable[[str], str]:
    """Return a function: a clip's path or id -> its group, as a pattern finds it in the file's name.

    pattern: a regular expression, searched for in the name without its folders; the group is what its
    brackets catch, or all of the match where it has none. A clip whose name it is not in, and every clip
    where pattern is None, is a group of its own. Raises ValueError for what is no regular expression.
    """
    try:
        found = re.compile(pattern) if pattern else None
    except re.error as error:
        raise ValueError(
            f"group={pattern!r} is not a regular expression ({error}); such as '^(rec\\d+)_'"
        ) from error

    def group(name: str) -> str:
        match = found.search(re.split(r"[/\\]", name)[-1]) if found else None
        if match is None or not match[0]:
            return name
        caught = match.groups() if found.groups else (match[0],)
        return "|".join(text or "" for text in caught)

    return group


def groups_of(names: Iterable[str], pattern: str) -> dict[str, str]:
    """Return name -> its group, by `group_by`; ValueError if the pattern is in no file's name."""
    group = group_by(pattern)
    found = {name: group(name) for name in names}
    if found and all(name == source for name, source in found.items()):
        raise ValueError(
            f"group={pattern!r} finds a source in no file's name, such as {min(found)}: the folders before "
            "it are not searched; mend it, or leave it out"
        )
    return found


def split_groups(
    clips: Iterable[tuple[str, Iterable[str]]], shares: Mapping[str, float], seed: int = 0
) -> dict[str, str]:
    """Return a dict: group -> split: no group is in two, and each split has its share of the clips and of
    every label.

    clips: (group, labels) of each clip, in any order: the result does not depend on it. shares: of each
    split; they sum to 1. Groups are dealt out one by one, each to the split that lacks its labels most. Large
    groups come first, then those of rare labels; equal ones come by their hash with the seed. Each split has
    a group where there are enough. Raises ValueError for shares that are none.
    """
    shares = {split: share for split, share in shares.items() if abs(share) > 1e-9}
    if min(shares.values(), default=0) <= 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(f"shares have to lie between 0 and 1 and to sum to 1, not {dict(shares)}")
    held: dict[str, Counter] = {}
    for group, labels in clips:
        held.setdefault(group, Counter()).update({None, *labels})  # None counts the clips
    total = sum(held.values(), Counter())

    def hardest(group: str) -> tuple:
        digest = hashlib.sha256(f"{seed}|{group}".encode("utf-8", "surrogatepass")).digest()
        return -held[group][None], min(total[label] for label in held[group]), digest

    got = {split: Counter() for split in shares}

    def strain(group: str, split: str) -> float:
        """Return how much the squared distance to the wanted counts, in shares of these, grows."""
        pairs = ((n, shares[split] * total[label], got[split][label]) for label, n in held[group].items())
        return sum(n * (n + 2 * (there - wanted)) / wanted for n, wanted, there in pairs)

    found: dict[str, str] = {}
    for group in sorted(held, key=hardest):
        found[group] = min(shares, key=lambda split: strain(group, split))
        got[found[group]].update(held[group])
    for split in shares:  # one that is too small for any group still needs one
        crowded, size = Counter(found.values()).most_common(1)[0] if found else ("", 0)
        if split not in found.values() and size > 1:
            found[max((g for g in found if found[g] == crowded), key=hardest)] = split
    return found
