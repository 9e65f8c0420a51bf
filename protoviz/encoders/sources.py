"""Where the weights of a published encoder come from: a file, a folder, the Hugging Face cache, the hub."""

import hashlib
import os
import re
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from protoviz.encoders.contents import INDEX, PART, parts_of
from protoviz.encoders.weights import WeightsError
from protoviz.files import visible
from protoviz.named import HUB, install_hint, is_on_hub

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
# The names that programs give to the weights of a folder, alone or in parts: the same weights in other forms.
STANDARD = tuple(
    f"{name}{more}" for name in ("model.safetensors", "pytorch_model.bin") for more in ("", INDEX)
)
TRAINING = re.compile(  # what else training writes beside weights
    r"(optim|sched|lr_sched|scaler|sampler|dl_state|custom_checkpoint|rng_|random_state|training_arg|trainer_"
    r"|events\.).*|.*_optim_states.*",
    re.IGNORECASE,
)
PAGES = "https://huggingface.co"
PLACE = re.compile(rf"{HUB}(?P<repository>\w[\w.-]*/\w[\w.-]*)(?:/(?P<file>.+))?")
SHA256 = re.compile(r"[0-9a-f]{64}")
CHUNK = 1 << 22


@dataclass(frozen=True)
class Source:
    """Where one encoder was published, and under which terms. All published facts; sizes are rounded."""

    licence: str
    page: str  # where a person finds the files
    file: str = ""  # the weights' name there; "": the only weights that are there
    megabytes: int = 0
    repository: str = ""  # on the Hugging Face Hub; "": nothing that could be fetched
    beside: tuple[str, ...] = ()  # files of settings that belong to it
    note: str = ""  # what else one should know


def on_hub(repository: str, file: str, megabytes: int, licence: str, **more) -> Source:
    """Return a `Source` on the Hugging Face Hub."""
    return Source(licence, f"{PAGES}/{repository}", file, megabytes, repository, **more)


def source_of(place: str) -> Source:
    """Return the `Source` that hf:owner/name or hf:owner/name/FILE names; the hub is not asked yet."""
    match = PLACE.fullmatch(place)
    if match is None:
        raise WeightsError(f"{place!r} is not a place on the hub; write hf:owner/name, or hf:owner/name/FILE")
    return on_hub(match["repository"], match["file"] or "", 0, "as its page says")


def find_published(
    name: str, source: Source, weights: str | Path | None = None, others: Collection[str] = ()
) -> Path:
    """Return the file with the weights of encoder `name`; of weights in parts, their index or the first of
    them.

    Looked for in this order: `weights` (a file, or a folder that holds it), the folder in the environment
    variable PROTOVIZ_WEIGHTS (NAME.safetensors, NAME.pt, .pth, .bin, .ckpt, or the files in NAME/), the
    Hugging Face cache; else fetched from the hub, where there is something to fetch. Of several files in a
    folder it is that of the published name, then model.safetensors, then pytorch_model.bin (either may be in
    parts), else the only .safetensors, else the only .pt, .pth, .bin, .ckpt. A folder of the hub's cache
    (models--ORG--NAME) stands for its snapshot. `weights` may also be hf:owner/name, a place on the hub.
    others: names of encoders; a file of such a name is theirs. Raises WeightsError that says where it looked,
    which file is needed and where to put it, and where several could be meant: which.
    """
    if weights is not None and is_on_hub(str(weights)):
        source = source_of(str(weights))
    elif weights is not None:
        return _given(name, source, Path(weights).expanduser(), others)
    return _here(name, source) or fetch(name, source)


def present(name: str, source: Source) -> Path | None:
    """Return the file with the weights, if it is on this machine, and no other could be meant."""
    try:
        return _here(name, source)
    except WeightsError:
        return None


def _here(name: str, source: Source) -> Path | None:
    chosen = os.environ.get("PROTOVIZ_WEIGHTS")
    found = _in_folder(Path(chosen).expanduser(), name, source) if chosen else None
    if found or not source.repository:
        return found

    def seek(snapshot: Path) -> Path | None:
        file = snapshot / source.file if source.file else _in_files(snapshot, source)
        return file if file and file.is_file() and _complete(file) else None

    return _in_cache(hub_cache() / _cached(source), seek)


def _complete(file: Path) -> bool:
    """Whether all parts of weights are here; a fetch that was stopped leaves some."""
    try:
        return all(part.is_file() for part in parts_of(file))
    except WeightsError:
        return False


def fetch(name: str, source: Source) -> Path:
    """Return the weights, fetched from the hub into its cache; stderr tells what, how large, under which
    licence.

    Of a repository that is not known here the hub is asked first. Its own client shows progress and goes on
    where an earlier attempt stopped. The files are checked against the checksums that the hub names them by.
    Nothing that is fetched is run. Raises WeightsError where it cannot be fetched.
    """
    if not source.repository:
        raise WeightsError(_absent(name, source, source.note or "there is nothing published to fetch"))
    try:
        import huggingface_hub as client
    except ImportError as error:
        reason = f"huggingface_hub, which could fetch it, is not installed ({install_hint('hub')})"
        raise WeightsError(_absent(name, source, reason)) from error
    try:
        source = source if source.megabytes else _as_listed(source, client)
        print(
            f"{name}: fetching {visible(source.file)} ({source.megabytes:,} MB, licence "
            f"{visible(source.licence)}) from {source.page}" + (f"; {source.note}" if source.note else ""),
            file=sys.stderr,
        )
        files = (*source.beside, source.file)  # an index last: it is complete when it is there
        fetched = [Path(client.hf_hub_download(repo_id=source.repository, filename=file)) for file in files]
    except WeightsError:
        raise
    except Exception as error:  # whatever the client and its network library raise: the cure is the same
        reason = (
            f"fetching it failed ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"
        )
        raise WeightsError(_absent(name, source, reason)) from error
    for path in fetched:
        check_sum(path)
    return fetched[-1]


def _as_listed(source: Source, client) -> Source:
    """The source with what the hub says of its repository: the file, its parts, their size, the licence."""
    told = client.model_info(source.repository, files_metadata=True)
    sizes = {one.rfilename: one.size or 0 for one in told.siblings or ()}
    at_top = [name for name in sizes if "/" not in name]
    found = [source.file] if source.file in sizes else [] if source.file else _meant(at_top, source)
    if len(found) != 1:
        weights = sorted(name for name in sizes if name.lower().endswith(SUFFIXES))
        there = ", ".join(map(visible, weights[:8])) or "no weights"
        raise WeightsError(
            f"{HUB}{source.repository} holds {there}; name one file: {HUB}{source.repository}/FILE"
        )
    whole = _whole(found[0])
    parts = [name for name in at_top if name != found[0] and _whole(name) == whole]
    beside = [*parts, *(name for name in ("config.json",) if name in sizes)]
    size = sum(sizes[name] for name in (*parts, *found))
    licence = getattr(told.card_data, "license", None) or "not stated"
    return replace(
        source,
        file=found[0],
        megabytes=max(1, round(size / 1e6)),
        licence=str(licence),
        beside=tuple(beside),
    )


def check_sum(path: Path) -> str:
    """Return sha256 (hex) of a fetched file; raises WeightsError if the hub names it by another."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    stored = path.resolve().name  # in the hub's cache a file is a link to a blob named by its checksum
    if SHA256.fullmatch(stored) and stored != digest.hexdigest():
        raise WeightsError(f"{path} is damaged: it is not the hub's file; delete it, fetch it again")
    return digest.hexdigest()


def hub_cache() -> Path:
    """Return the folder in which Hugging Face's client keeps what it fetched."""
    if chosen := os.environ.get("HF_HUB_CACHE"):
        return Path(chosen).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface" / "hub"


def _given(name: str, source: Source, path: Path, others: Collection[str]) -> Path:
    if path.is_file():
        return path
    if found := _in_folder(path, name, source) or _in_files(path, source, others):
        return found
    found = "no checkpoint of its" if path.is_dir() else "no such file"
    raise WeightsError(
        f"no weights for {name!r} at {path}: {found}; give a file, or a folder with {source.file or 'one'}"
    )


def _in_folder(folder: Path, name: str, source: Source) -> Path | None:
    """The weights of one encoder in a folder of several encoders'."""
    files = (folder / f"{name}{suffix}" for suffix in SUFFIXES)
    found = next((file for file in files if file.is_file()), None) or _in_files(folder / name, source)
    return found or (_in_files(folder / _cached(source), source) if source.repository else None)


def _in_files(folder: Path, source: Source, others: Collection[str] = ()) -> Path | None:
    """The checkpoint in a folder: see `find_published`."""
    if (folder / "snapshots").is_dir():
        return _in_cache(folder, lambda snapshot: _in_files(snapshot, source, others))
    if source.file and (folder / source.file).is_file():
        return folder / source.file
    names = [path.name for path in folder.glob("[!.]*") if path.is_file()]
    return _only(folder, [folder / name for name in _meant(names, source, others)])


def _meant(names: Collection[str], source: Source, others: Collection[str] = ()) -> list[str]:
    """Those of some files that may be the checkpoint: the one of a usual name, else all of one kind."""
    for name in (source.file, *STANDARD):
        if name in names:
            return [name]
    files = [name for name in names if Path(name).suffix.lower() in SUFFIXES]
    files = [name for name in files if not TRAINING.match(name) and Path(name).stem not in others]
    whole = {_whole(name): name for name in sorted(files, reverse=True)}.values()  # of parts the first
    kinds = ([name for name in whole if Path(name).suffix.lower() == suffix] for suffix in SUFFIXES)
    return next(filter(None, kinds), [])


def _whole(name: str) -> str:
    """The name that an index and all parts of the same weights have in common."""
    match = PART.fullmatch(name)
    return match["stem"] + match["suffix"] if match else name.removesuffix(INDEX)


def _only(folder: Path, files: list[Path]) -> Path | None:
    """The only one of some files, or of links to one; None where there is none."""
    if len({file.resolve() for file in files}) > 1:
        names = ", ".join(sorted(str(file.relative_to(folder)) for file in files))
        raise WeightsError(f"{folder} holds several checkpoints: {names}; name one: weights=FILE")
    return files[0] if files else None


def _cached(source: Source) -> str:
    return f"models--{source.repository.replace('/', '--')}"


def _in_cache(folder: Path, seek: Callable[[Path], Path | None]) -> Path | None:
    """What is sought, in the current snapshot of a folder of the hub's cache, or in the only one with it."""
    main = folder / "refs" / "main"
    current = main.read_text(encoding="utf-8").strip() if main.is_file() else None
    snapshots = [path for path in folder.glob("snapshots/*") if path.is_dir()]
    snapshots.sort(key=lambda path: path.name != current)
    for chosen in (snapshots[:1] if current else [], snapshots):
        if found := _only(folder, [path for path in map(seek, chosen) if path]):
            return found
    return None


def _absent(name: str, source: Source, reason: str) -> str:
    chosen = os.environ.get("PROTOVIZ_WEIGHTS")
    folder = Path(chosen).expanduser() if chosen else None
    looked = [f"PROTOVIZ_WEIGHTS ({folder or 'not set'})"]
    looked += [f"the Hugging Face cache ({hub_cache()})"] if source.repository else []
    files = " and ".join((source.file or "a checkpoint of its authors", *source.beside))
    size = f", {source.megabytes} MB" if source.megabytes else ""
    own = _cached(source) if is_on_hub(name) else name
    return (
        f"no weights for {name!r}: {reason}. Looked in {', '.join(looked)}.\n"
        f"Get {files} from {source.page} (licence {source.licence}{size}), put it into a folder, and either\n"
        f"  pass it: load_encoder({name!r}, weights=FILE), or\n"
        f"  set PROTOVIZ_WEIGHTS to a folder and name it {own}/{source.file or 'FILE'} in there"
    )
