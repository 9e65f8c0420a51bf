"""What people call the columns of their tables: the one list (docs/own_data.md repeats it)."""

import re

from protoviz.audio import nfc

# Role -> names, letters and digits only: `file name`, `File_Name`, `fileName` and `FILENAME` are filename.
COLUMNS: dict[str, tuple[str, ...]] = {
    "file": (
        "filename", "filenames", "file", "fname", "path", "filepath", "relativepath", "audiofilename",
        "audiofile", "audiopath", "audiofilepath", "wav", "wavfile", "wavpath", "soundfile", "beginpath",
        "beginfile", "infile", "slicefilename",
    ),
    "folder": ("folder", "directory", "subfolder"),
    # Of these the first that has a label in it counts; other names that LABEL fits stand behind them.
    "label": (
        "eventlabel", "eventlabels", "labelname", "labelnames", "label", "labels", "classname", "classnames",
        "class", "classes", "category", "categories", "primarylabel", "annotation", "annotations", "tag",
        "tags", "species", "commonname", "englishname", "scientificname", "latinname", "en", "ebirdcode",
        "event", "events", "displayname", "eventtype", "scene", "target", "targets", "y", "groundtruth", "gt",
        "emotion", "genre", "instrument", "keyword", "word", "command", "digit", "bird", "birds", "animal",
        "call", "calltype", "soundtype", "language", "accent",
        "manualid", "top1match",
    ),
    # Labels in a table of nothing else beside the files and their splits, and of events.
    "label if no other": ("sound", "kind", "type", "code", "truth"),
    "more labels": ("secondarylabels", "secondarylabel", "otherlabels", "backgroundspecies", "also"),
    "split": ("split", "splits", "subset", "partition", "set", "datasetsplit", "suggestedsplit", "usage"),
    "group": ("group", "sourceid", "srcid", "srcfile", "fsid", "freesoundid", "sourcerecording"),
    "onset": (
        "onset", "onsets", "start", "starts", "starttime", "startseconds", "startsec", "starttimes", "begin",
        "begins", "begintime", "begintimes", "timestart", "tstart", "tmin",
    ),
    "offset": (
        "offset", "offsets", "end", "endtime", "endseconds", "ends", "endsec", "endtimes", "stop", "stoptime",
        "timeend", "tend", "tmax",
    ),
    "duration": ("duration", "durations", "deltatimes", "durationseconds", "length", "lengths"),
    "place in file": ("fileoffsets", "beginfileoffsets"),
    "low": ("lowhz", "lowfreq", "lowfreqhz", "lowf", "minfrequency", "fmin", "freqlow"),
    "high": ("highhz", "highfreq", "highfreqhz", "highf", "maxfrequency", "fmax", "freqhigh"),
    "selection": ("selection",),
    # A file's where their cells name sounds that are there (so is a column of unknown name); else not used.
    "id": (
        "id", "name", "audio", "audioid", "recording", "recordingid", "clip", "clipid", "clipname", "item",
        "itemid", "sample", "track", "trackid", "key", "ytid", "fileid", "nr", "number",
    ),
    # Known and not used: a table of these alone tells of no labels.
    "not used": (
        "licence", "license", "lic", "rights", "attribution", "author", "creator", "recordist", "rec",
        "uploader", "url", "sourceurl", "source", "sourcerepo", "sourcecommit", "originalfile", "title",
        "description", "comment", "comments", "notes", "note", "remarks", "rmk", "date", "time", "datetime",
        "uploaded", "timestamp", "latitude", "lat", "longitude", "lon", "lng", "location", "loc", "site",
        "cnt", "country", "elevation", "alt", "temperature", "humidity", "device", "recorder", "microphone",
        "channel", "channels", "view", "samplerate", "sr", "bitdepth", "bitrate", "frames", "numsamples",
        "format", "size", "bytes", "sha256", "md5", "checksum", "hash", "fold", "take", "salience", "rating",
        "quality", "confidence", "score", "probability", "sex", "stage", "method", "age", "index",
        "no", "unnamed", "mid", "mids", "manuallyverified", "verified", "checked", "esc10",
        "annotator", "gain", "peak", "texture", "week", "overlap", "sensitivity", "minconf", "specieslist",
        "model", "indir", "transcription", "transcript", "text", "sentence", "caption", "family", "order",
        "genus", "gen", "sp", "ssp", "taxon", "datasetlicence", "redistributable", "endpath", "endfile", "q",
    ),
}  # fmt: skip
ROLES = {name: role for role, names in COLUMNS.items() for name in names}
# A name of labels that is not in the list: bird_species, trueLabel, label_text, class_idx. Counts are none,
# nor what a model guessed.
LABEL = re.compile(
    r"(?!pred|sub|super|num|n_|is_|has_).*(?:label|class|category|categorie|species|tag|annotation)(?:s|es)?"
    r"(?:_?(?:name|text|str|id|idx|index|code|guess|common|scientific))?"
)
NUMBERS = {"id", "idx", "index", "nr", "count"}  # words at the end of names of what is no class
# A column whose name ends in one of these has lists in its cells.
MANY = ("labels", "names", "classes", "categories", "annotations", "tags", "events", "targets", "birds")
# Tables of slices, whose times lie in the recordings that these were cut from: UrbanSound8K, AudioSet.
SLICES = {"slicefilename", "ytid"}


def plain(name: str) -> str:
    """Return a column's name as COLUMNS has it: "File Offset (s)", "fileOffset_s" are fileoffsets."""
    return "".join(_words(name))


def role_of(name: str) -> str:
    """Return the role of a column, a key of COLUMNS; "" for a strange name. label2 is a second label."""
    words = _words(name)
    if not name.strip() or re.fullmatch(r"unnamed_?\d+|level_?\d+", _joined(name)):
        return "not used"  # the number of a row, as pandas writes it
    known = ROLES.get(plain(name), "")
    numbered = ROLES.get(re.sub(r"\d+$", "", plain(name)), "")
    if known or numbered in ("label", "more labels"):
        return known or numbered
    if LABEL.fullmatch(_joined(name)):
        return "label"
    return "not used" if words[-1:] and words[-1] in NUMBERS else ""


def rank(name: str) -> int:
    """Return where a column's name stands among those of its role; behind all where it does not."""
    names = COLUMNS.get(role_of(name), ())
    known = base(name)
    return names.index(known) if known in names else len(names)


def base(name: str) -> str:
    """Return a column's name as COLUMNS has it, without the number of a second one."""
    known = plain(name)
    return known if known in ROLES else re.sub(r"\d+$", "", known)


def holds_many(name: str) -> bool:
    """Return whether a column of labels has a plural name: in its cells commas part labels, too."""
    return re.sub(r"\d+$", "", plain(name)).endswith(MANY)


def is_time(name: str) -> bool:
    """Return whether a strange column may be of times in another unit: start_ms, Onset (samples)."""
    return bool(
        re.fullmatch(r"(start|onset|begin|end|offset)(time)?_?(ms|msec|samples?|frames?)", _joined(name))
    )


def _joined(name: str) -> str:
    return "_".join(_words(name))


def _words(name: str) -> list[str]:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", nfc(name))
    return [word for word in re.split(r"[\W_]+", parted.casefold()) if word]
