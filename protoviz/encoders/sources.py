"""Where the weights of a published encoder come from: a file, a folder, the Hugging Face cache, the hub."""

import hashlib
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from protoviz.encoders.weights import WeightsError

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
HUB = "https://huggingface.co"
SHA256 = re.compile(r"[0-9a-f]{64}")
CHUNK = 1 << 22


@dataclass(frozen=True)
class Source:
    """Where one encoder was published, and under which terms. All published facts; sizes are rounded."""

    licence: str
    page: str  # where a person finds the files
    file: str = ""  # the weights' name there
    megabytes: int = 0
    repository: str = ""  # on the Hugging Face Hub; "": nothing that could be fetched
    beside: tuple[str, ...] = ()  # files of settings that belong to it
    note: str = ""  # what else one should know


def on_hub(repository: str, file: str, megabytes: int, licence: str, **more) -> Source:
    """A `Source` on the Hugging Face Hub."""
    return Source(licence, f"{HUB}/{repository}", file, megabytes, repository, **more)


def find_published(name: str, source: Source, weights: str | Path | None = None) -> Path:
    """The file with the weights of encoder `name`.

    Looked for in this order: `weights` (a file, or a folder that holds it), the folder in the environment
    variable PROTOVIZ_WEIGHTS (NAME.safetensors, NAME.pt, or the published files in NAME/), the Hugging Face
    cache; else fetched from the hub, where there is something to fetch. Raises WeightsError that says where
    it looked, which file is needed and where to put it.
    """
    if weights is not None:
        return _given(name, source, Path(weights).expanduser())
    return present(name, source) or fetch(name, source)


def present(name: str, source: Source) -> Path | None:
    """The file with the weights, if it is on this machine."""
    chosen = os.environ.get("PROTOVIZ_WEIGHTS")
    places = _in_folder(Path(chosen).expanduser(), name, source) if chosen else []
    places += _in_cache(source)
    return next((place for place in places if place.is_file()), None)


def fetch(name: str, source: Source) -> Path:
    """The weights, fetched from the hub into its cache; stderr tells what, how large, under which licence.

    The hub's own client shows progress and goes on where an earlier attempt stopped. The file is checked
    against the checksum that the hub names it by. Raises WeightsError where it cannot be fetched.
    """
    if not source.repository:
        raise WeightsError(_absent(name, source, "there is nothing published to fetch"))
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        reason = "huggingface_hub, which could fetch it, is not installed (pip install huggingface_hub)"
        raise WeightsError(_absent(name, source, reason)) from error
    print(
        f"{name}: fetching {source.file} ({source.megabytes} MB, licence {source.licence}) from {source.page}"
        + (f"; {source.note}" if source.note else ""),
        file=sys.stderr,
    )
    try:
        for file in source.beside:
            hf_hub_download(repo_id=source.repository, filename=file)
        path = Path(hf_hub_download(repo_id=source.repository, filename=source.file))
    except Exception as error:  # whatever the client and its network library raise: the cure is the same
        reason = (
            f"fetching it failed ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"
        )
        raise WeightsError(_absent(name, source, reason)) from error
    check_sum(path)
    return path


def check_sum(path: Path) -> str:
    """sha256 (hex) of a fetched file; raises WeightsError where the hub names it by another."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    stored = path.resolve().name  # in the hub's cache a file is a link to a blob named by its checksum
    if SHA256.fullmatch(stored) and stored != digest.hexdigest():
        raise WeightsError(
            f"{path} is damaged: it is not the file that the hub names; delete it, fetch it again"
        )
    return digest.hexdigest()


def hub_cache() -> Path:
    """The folder in which Hugging Face's client keeps what it fetched."""
    if chosen := os.environ.get("HF_HUB_CACHE"):
        return Path(chosen).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface" / "hub"


def _given(name: str, source: Source, path: Path) -> Path:
    places = [*_in_folder(path, name, source), *_files(path, source)] if path.is_dir() else [path]
    for place in places:
        if place.is_file():
            return place
    found = "no checkpoint of its" if path.is_dir() else "no such file"
    raise WeightsError(
        f"no weights for {name!r} at {path}: {found}; give a file, or a folder with {source.file or 'one'}"
    )


def _in_folder(folder: Path, name: str, source: Source) -> list[Path]:
    """Where a folder of several encoders' weights may hold those of one."""
    return [folder / f"{name}{suffix}" for suffix in SUFFIXES] + _files(folder / name, source)


def _files(folder: Path, source: Source) -> list[Path]:
    """The checkpoints in a folder, that with the published name first."""
    named = [folder / source.file] if source.file else []
    found = sorted(file for file in folder.glob("*") if file.suffix in SUFFIXES)
    return named + sorted(found, key=lambda file: SUFFIXES.index(file.suffix))


def _in_cache(source: Source) -> list[Path]:
    """Where the hub's cache may hold the file, the snapshot that it calls current first."""
    if not source.repository:
        return []
    folder = hub_cache() / f"models--{source.repository.replace('/', '--')}"
    main = folder / "refs" / "main"
    current = [main.read_text(encoding="utf-8").strip()] if main.is_file() else []
    others = sorted(path.name for path in folder.glob("snapshots/*"))
    return [folder / "snapshots" / commit / source.file for commit in current + others]


def _absent(name: str, source: Source, reason: str) -> str:
    chosen = os.environ.get("PROTOVIZ_WEIGHTS")
    folder = Path(chosen).expanduser() if chosen else None
    looked = [f"PROTOVIZ_WEIGHTS ({folder or 'not set'})"]
    looked += [f"the Hugging Face cache ({hub_cache()})"] if source.repository else []
    files = " and ".join((source.file or "a checkpoint of its authors", *source.beside))
    size = f", {source.megabytes} MB" if source.megabytes else ""
    return (
        f"no weights for {name!r}: {reason}. Looked in {', '.join(looked)}.\n"
        f"Get {files} from {source.page} (licence {source.licence}{size}), put it into a folder, and either\n"
        f"  pass it: load_encoder({name!r}, weights=FILE), or\n"
        f"  set PROTOVIZ_WEIGHTS to a folder and name it {name}/{source.file or 'FILE'} in there"
    )
