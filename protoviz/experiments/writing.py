"""What a study says of itself in text: its README."""

from protoviz.study import Study


def readme(study: Study) -> str:
    """Return the README of a study: what is in it, how to open it, how to cite, licences."""
    lines = [f"# {_plain(study.name)}", "", "A study of frozen audio encoders, made by protoviz.", ""]
    lines += [
        f"- encoder {_plain(name)}: {_plain(one.use)}, {one.sample_rate} Hz"
        for name, one in study.encoders.items()
    ]
    for name, one in study.datasets.items():
        shown = len(study.clips[name]) if name in study.clips else 0
        counts = f"{one.clips:,} clips of {len(one.classes)} classes, {shown} shown"
        licence = f"; licence: {_plain(one.licence)}" if one.licence else ""
        lines.append(f"- data set {_plain(name)}: {counts}{licence}")
    lines += [f"- method {_plain(title)}: {_plain(use)}" for title, use in study.methods.items()]
    lines += ["", "Open it:", "", "    import protoviz", '    study = protoviz.open_study(".")']
    lines += [
        '    study.results["results"]',
        "",
        "`protoviz study check .` says whether its parts fit together.",
    ]
    lines += [
        "",
        'Cite the paper whose method it shows: Rauch et al., "Unmute the Patch Tokens: Rethinking Probing in',
    ]
    lines += ['Multi-Label Audio Classification", ICLR 2026, and the encoders and data sets.', ""]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Return a name as one line of plain Markdown."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>()#+!|" else sign for sign in " ".join(text.split()))
