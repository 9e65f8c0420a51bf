"""Words that every page needs, as small pieces of HTML."""

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

from protoviz.analysis.showing import FEW, MANY
from protoviz.audio import Box
from protoviz.encoders import ENCODERS
from protoviz.figures.style import as_written
from protoviz.figures.style import moment as moment  # every page's words need these too
from protoviz.figures.style import place as place
from protoviz.figures.style import plain as plain
from protoviz.figures.style import spoken as spoken
from protoviz.figures.style import stretch as stretch
from protoviz.study import Study

Name = TypeVar("Name", bound=Hashable)


def heading(title: str) -> str:
    """Return a card's heading; title: plain text."""
    return f"<h2>{plain(title)}</h2>"


def wide(table: str, name: str) -> str:
    """Return a table that scrolls by itself, also by keys, where it has not the room; HTML, name: escaped."""
    return f'<div style="overflow-x: auto" role="region" tabindex="0" aria-label="{name}">{table}</div>'


def cell(prototype: int, box: Box) -> str:
    """Return what the player says while it plays a prototype's cell; plain text."""
    return f"prototype {prototype}: {place(box)}"


def kind(encoder: str) -> str:
    """Return what an encoder is, as the registry says it; a mini that is not in it is called one."""
    if encoder in ENCODERS:
        return ENCODERS[encoder].summary
    return (
        "mini encoder, trained on procedural sound"
        if encoder.startswith("mini")
        else "encoder from outside this library"
    )


def kind_in(study: Study | None, encoder: str) -> str:
    """Return `kind` of an encoder of a study: of what stands behind its name there."""
    facts = study.encoders.get(encoder) if study else None
    return kind(facts.use if facts else encoder)


def count(number: int, noun: str) -> str:
    """Return "1 event", "3 events", "2 classes"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}{'es' if noun.endswith('s') else 's'}"


def distinct(titles: Mapping[Name, str]) -> dict[Name, str]:
    """Return the titles (name -> title) as they are written; one that was there before carries a number."""
    found: dict[Name, str] = {}
    for name, title in titles.items():
        one, number = as_written(title), 1
        while one in found.values():
            number += 1
            one = f"{as_written(title)} ({number})"
        found[name] = one
    return found


def choices(names: Iterable[Name], titled: Callable[[Name], str] = str) -> dict[str, Name]:
    """Return a dict: what a list offers, title -> name: every name, also where two titles are alike."""
    return {title: name for name, title in distinct({name: titled(name) for name in names}).items()}


def chosen(says: str, shown: int, clips: int, here: bool) -> str:
    """Return why a page shows the clip that it shows first, and how often another would do; HTML.

    says: the rule; shown: how many of `clips` held-out clips keep it; here: that clip is shown now.
    """
    asked = f"{count(clips, 'held-out clip')} of {FEW} to {MANY} events"
    if not shown:
        return f"In none of {asked} is it so that {plain(says)}."
    which = "This clip was" if here else "Another clip was"
    often = f"That is so in {shown} of {asked} ({100 * shown / clips:.0f} %)."
    return f"<b>{which} chosen by a rule:</b> {plain(says)}. {often}"


RECOMMENDED = "Of the probes of their kinds, [cls] and prototypes, the two have the best validation scores."


def not_taken(why: str) -> str:
    """Return what is said of a file that did not arrive; plain text."""
    return f"The file was not taken: {why}. Choose another, cut it, or save it as FLAC or MP3."


MICROPHONE_TROUBLE = {
    "insecure": "The browser gives no microphone to a page that comes over plain http from another machine: "
    "open it on the machine that serves it (http://localhost...), or let it be served over https.",
    "denied": "The browser did not give this page the microphone: allow it (the sign beside the address, or "
    "the browser's settings for this site), then record again.",
    "absent": "No microphone was found: plug one in, or choose one in the system's sound settings, then "
    "record again.",
    "busy": "The microphone could not be opened, perhaps because another program holds it: close that "
    "program, then record again.",
    "silent": "The microphone gave nothing but silence: unmute it, or choose another in the browser's or the "
    "system's sound settings, then record again.",
    "short": "Nothing was recorded: let it run for a moment before you stop it.",
    "failed": "The microphone could not be recorded in this browser: record with another program and open "
    "the file here.",
}


def in_code(said: str) -> str:
    """Return plain text as HTML in which what stands between backquotes, a command, is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", plain(said))
