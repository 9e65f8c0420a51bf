"""What the page Polyphony says, as small pieces of HTML; every number in it is computed."""

from collections.abc import Mapping

import pandas as pd

from protoviz.explorer.text import count, in_code, plain, spoken, wide
from protoviz.figures.style import percent

HELP = """
<b>mAP</b> is the mean over classes of the average precision, taken over the test scenes with exactly k
events. <b>Chance</b>: a random order has an average precision of about the share of scenes that hold the
class, k / C with k events of C classes. It rises with k and lifts every curve by itself; so look at mAP −
chance too, or at (mAP − chance) / (1 − chance), which is 0 for guessing and 1 for a perfect order at
every k. Tables of `protoviz polyphony` have two measures beside it that prevalence does not move:
<b>AUROC</b>, the share of pairs of a scene with the class and one without that are in order, and <b>mAP at a
prevalence of 10 %</b>, each precision recomputed as if one scene in ten held the class (Siblini et al.,
2020). There the scenes of k events are those of k − 1 and one more, and chance is the exact mean over all
orders. The bands are 95 % bootstrap intervals over the seeds of the probes. A probe <b>misses</b> a
class that is present but not among its k highest. <b>Events by level</b>: an event is found where its class
scores above all but 5 % of the scenes with as many events that lack it; its level is told against the loudest
other event. <b>First place</b>: the max location of the prototype that argues most for a class, the cell that
adds most to it (<i>cells</i>), or the cell with most attention, which is one map for all classes, touches the
event's box; chance is the share of the cells that do.<br>
Source: Rauch et al., “Unmute the Patch Tokens”, ICLR 2026, Table 3: attention ahead where a clip has one
label, prototypes where it has many.
"""
ATTENTION, PROTOTYPES = "mhca", "protobin"


def sentence(mix: bool) -> str:
    """Return what the pictures show; mix: scenes of any number of events can be made."""
    whole, shown = ("scene", "one scene at the chosen k") if mix else ("clip", "one clip")
    return (
        f"How well each probe ranks the clips of each class while more events share a {whole}: one curve a "
        f"probe over the number of events k, and {shown}."
    )


def question(mix: bool) -> str:
    """Return what to find out with them."""
    begin, whole = ("Add events: which", "scenes") if mix else ("Which", "clips")
    return f"{begin} probe loses most as {whole} fill up, and which events does it miss in this one?"


def empty(lacking: str) -> str:
    """Return that there are no results over polyphony; lacking: plain text."""
    return f"There are no results over polyphony yet. {in_code(lacking)}"


def heading(encoder: str, kind: str, other: str) -> str:
    """Return over the curves; other: the encoder behind the clip, where it is another one."""
    note = f" (the clip is read by {plain(other)})" if other != encoder else ""
    return f"<b>{plain(encoder)}</b>, {plain(kind)}{note}"


def once(trained_once: bool) -> str:
    """Return what is said beside curves of one seed, which have no intervals."""
    told = " One seed: no bands, and no difference is settled."
    return f"<span class='quiet'>{told}</span>" if trained_once else ""


def measured(leads: pd.DataFrame) -> str:
    """Return what the curves say about the paper's expectation; a frame of `lead` of protobin over mhca."""
    expects = (
        "The paper finds attention (mhca) ahead where a clip has one label, and prototypes (protobin) ahead "
        "where it has many."
    )
    if leads.empty:
        return f"{expects} These runs lack one of the two."
    leads = leads.sort_values("polyphony")
    ends = [_lead(row) for row in leads.iloc[[0, -1]].itertuples()]
    agrees = leads.lead.iloc[0] < 0 < leads.lead.iloc[-1] and leads.settled.iloc[[0, -1]].all()
    verdict = "as expected" if agrees else "not what the paper leads one to expect"
    return f"{expects} <b>Measured here: {ends[0]}; {ends[1]}</b> ({verdict})."


def _lead(row) -> str:
    ahead = PROTOTYPES if row.lead > 0 else ATTENTION
    unsure = "" if row.settled else ", intervals cross"
    return f"at k = {row.polyphony} {ahead} leads by {percent(abs(row.lead))} points{unsure}"


def at(table: pd.DataFrame, polyphony: int, beside: str = "") -> str:
    """Return the values at a polyphony of a frame of `curves`. beside: what they are, where the figure
    shows another.
    """
    rows = table[table.polyphony == polyphony]
    if rows.empty:
        return f"No clips of {count(polyphony, 'event')} were scored."
    told = " · ".join(f"{plain(row.method)} {percent(row.score)}" for row in rows.itertuples())
    clips, chance = int(rows.clips.iloc[0]), percent(rows.chance.iloc[0])
    told = f"{beside}: {told}" if beside else told
    return f"<b>k = {polyphony}</b> ({clips:,} clips): {told} · chance {chance}"


def heard(scores: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """Return a table: for each present class and probe a dot where the probe found it, else a ring and its
    rank.
    """
    present = scores[scores.present.fillna(False).astype(bool)]
    if present.empty:
        return "No truth is known for this clip: choose a scene and its number of events."
    probes = scores.probe.drop_duplicates().tolist()
    head = "".join(f"<th>{plain(titles[probe])}</th>" for probe in probes)
    rows = []
    for name, group in present.groupby("class", sort=False):
        cells = group.set_index("probe").loc[probes]
        marks = "".join(
            _mark(bool(row.missed), int(row.rank_))
            for row in cells.rename(columns={"rank": "rank_"}).itertuples()
        )
        rows.append(f"<tr><th>{plain(spoken(name))}</th>{marks}</tr>")
    found = (~present.missed.astype(bool)).groupby(present.probe).sum()
    total = present["class"].nunique()
    foot = "".join(f"<td><b>{found[probe]} of {total}</b></td>" for probe in probes)
    highest = "the probe's highest class" if total == 1 else f"among the probe's {total} highest classes"
    return (
        wide(
            f"<table class='heard'><thead><tr><th>class</th>{head}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody><tfoot><tr><th>found</th>{foot}</tr></tfoot></table>",
            "What each probe found",
        )
        + f"<span class='quiet'><span class='mark'></span>found: {highest}; "
        "<span class='mark missed'></span>missed: its rank.</span>"
    )


def _mark(missed: bool, rank: int) -> str:
    if missed:
        return f"<td><span class='mark missed'></span>{rank}</td>"
    return "<td><span class='mark'></span></td>"
