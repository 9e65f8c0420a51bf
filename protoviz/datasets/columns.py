"""What people call the columns of their tables: one list, which README repeats and the reader goes by."""

import re

from protoviz.audio import nfc

# Role -> names as `plain` writes them. Of label columns the first that has a label in it counts.
COLUMNS: dict[str, tuple[str, ...]] = {
    "file": (
        "file_name", "filename", "file", "fname", "path", "file_path", "filepath", "relative_path",
        "audio_filename", "audio_file_name", "audio_file", "audio_path", "audio_filepath", "wav", "wav_file",
        "wav_path", "wavfile", "sound", "sound_file", "soundfile", "begin_path", "begin_file", "in_file",
        "slice_file_name",
    ),
    # These are a file's only where their cells name sounds that are there.
    "id": (
        "id", "name", "audio", "audio_id", "recording", "recording_id", "clip", "clip_id", "clip_name",
        "item", "itemid", "item_id", "sample", "track", "track_id", "key", "ytid", "fileid", "file_id",
    ),
    "folder": ("folder", "directory", "subfolder"),
    "label": (
        "event_label", "event_labels", "label_name", "label_names", "label", "labels", "class_name",
        "class_names", "class_label", "class_labels", "class", "classes", "category", "categories",
        "primary_label", "annotation", "annotations", "tag", "tags", "species", "common_name", "english_name",
        "scientific_name", "species_name", "en", "ebird_code", "species_code", "sound_class", "sound_event",
        "event", "events", "positive_labels", "display_name", "scene_label", "scene", "call_type", "target",
        "targets", "label_id", "class_id", "classid",
    ),
    "more labels": ("secondary_labels", "secondary_label", "other_labels", "background_species"),
    "split": ("split", "splits", "subset", "partition", "set", "dataset_split", "suggested_split", "usage"),
    "group": ("group", "source_id", "src_id", "src_file", "fsid", "freesound_id", "source_recording"),
    "onset": (
        "onset", "onset_s", "start", "start_time", "start_seconds", "start_s", "start_sec", "start_time_s",
        "begin", "begin_s", "begin_time", "begin_time_s", "time_start", "t_start", "tmin",
    ),
    "offset": (
        "offset", "offset_s", "end", "end_time", "end_seconds", "end_s", "end_sec", "end_time_s", "stop",
        "stop_time", "time_end", "t_end", "tmax",
    ),
    "duration": ("duration", "duration_s", "delta_time_s", "duration_seconds", "length", "length_s"),
    "place in file": ("file_offset_s", "begin_file_offset_s"),
    "low": ("low_hz", "low_freq", "low_freq_hz", "low_f", "min_frequency", "f_min", "freq_low"),
    "high": ("high_hz", "high_freq", "high_freq_hz", "high_f", "max_frequency", "f_max", "freq_high"),
    "selection": ("selection",),
    # Known and not used: a table of these alone tells of no labels.
    "not used": (
        "licence", "license", "rights", "attribution", "author", "creator", "recordist", "rec", "uploader",
        "url", "source_url", "source", "source_repo", "source_commit", "original_file", "title",
        "description", "comment", "comments", "notes", "note", "remarks", "date", "time", "datetime",
        "timestamp", "latitude", "lat", "longitude", "lon", "lng", "location", "loc", "site", "country",
        "elevation", "alt",
        "temperature", "humidity", "device", "recorder", "microphone", "channel", "channels", "view",
        "sample_rate", "samplerate", "sr", "bit_depth", "bitrate", "frames", "num_samples", "format",
        "size", "bytes", "sha256", "md5", "checksum", "hash", "fold", "take", "salience", "rating", "quality",
        "confidence", "score", "probability", "type", "kind", "sex", "age", "index", "number", "nr", "no",
        "unnamed", "mid", "mids", "manually_verified", "verified", "checked", "esc10", "annotator", "gain",
        "peak", "texture", "week", "overlap", "sensitivity", "min_conf", "species_list", "model", "indir",
        "transcription", "transcript", "text", "sentence", "caption", "family", "order", "genus", "taxon",
        "dataset_licence", "redistributable", "end_path", "end_file", "q",
    ),
}  # fmt: skip
ROLES = {name: role for role, names in COLUMNS.items() for name in names}
# A column whose name ends in one of these has lists in its cells.
MANY = {"labels", "names", "classes", "categories", "annotations", "tags", "events", "targets"}
SLICES = "slice_file_name"  # UrbanSound8K: its start and end lie in the recording that a slice was cut from


def plain(name: str) -> str:
    """A column's name as COLUMNS has it: "File Offset (s)" and "file-offset_s" are file_offset_s."""
    return re.sub(r"[^\w]+|_+", "_", nfc(name).casefold()).strip("_")


def role_of(name: str) -> str:
    """The role of a column, a key of COLUMNS; "" for a name that is not there. label2 is a second label."""
    known = plain(name)
    if not name.strip() or re.fullmatch(r"unnamed_\d+|level_\d+", known):
        return "not used"  # the number of a row, as pandas writes it
    role = ROLES.get(known, "")
    numbered = ROLES.get(re.sub(r"_?\d+$", "", known), "")
    return role or (numbered if numbered in ("label", "more labels") else "")


def holds_many(name: str) -> bool:
    """Whether a column of labels has a plural name: its cells are lists, also where commas part them."""
    return plain(name).split("_")[-1] in MANY
