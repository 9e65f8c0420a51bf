"""Where the weights of a published encoder come from: a file, a folder, the Hugging Face cache, the hub."""

import hashlib
import os
import re
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from protoviz.encoders.contents import INDEX, PART
from protoviz.encoders.weights import WeightsError

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
    """Return a `Source` on the Hugging Face Hub."""
    return Source(licence, f"{HUB}/{repository}", file, megabytes, repository, **more)


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
    (models--ORG--NAME) stands for its snapshot.
    others: names of encoders; a file of such a name is theirs. Raises WeightsError that says where it looked,
    which file is needed and where to put it, and where several could be meant: which.
    """
    if weights is not None:
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
    return _in_cache(hub_cache() / _cached(source), [source.file])


def fetch(name: str, source: Source) -> Path:
    """Return the weights, fetched from the hub into its cache; stderr tells what, how large, under which
    licence.

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
    """Return sha256 (hex) of a fetched file; raises WeightsError if the hub names it by another."""
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
        return _in_cache(folder, [source.file, *STANDARD])
    for name in filter(None, (source.file, *STANDARD)):
        if (folder / name).is_file():
            return folder / name
    files = [file for file in folder.glob("[!.]*") if file.suffix.lower() in SUFFIXES and file.is_file()]
    files = [file for file in files if not TRAINING.match(file.name) and file.stem not in others]
    whole = {_whole(file): file for file in sorted(files, reverse=True)}.values()  # of parts the first
    for suffix in SUFFIXES:
        if alike := [file for file in whole if file.suffix.lower() == suffix]:
            return _only(folder, alike)
    return None


def _whole(file: Path) -> str:
    """The name that all parts of the same weights have in common."""
    match = PART.fullmatch(file.name)
    return match["stem"] + match["suffix"] if match else file.name


def _only(folder: Path, files: list[Path]) -> Path | None:
    """The only one of some files, or of links to one; None where there is none."""
    if len({file.resolve() for file in files}) > 1:
        names = ", ".join(sorted(str(file.relative_to(folder)) for file in files))
        raise WeightsError(f"{folder} holds several checkpoints: {names}; name one: weights=FILE")
    return files[0] if files else None


def _cached(source: Source) -> str:
    return f"models--{source.repository.replace('/', '--')}"


def _in_cache(folder: Path, names: list[str]) -> Path | None:
    """The first of these files in the current snapshot of a folder of the hub's cache, or in the only one."""
    main = folder / "refs" / "main"
    current = main.read_text(encoding="utf-8").strip() if main.is_file() else None
    snapshots = [path for path in folder.glob("snapshots/*") if path.is_dir()]
    snapshots.sort(key=lambda path: path.name != current)
    for chosen in (snapshots[:1] if current else [], snapshots):
        for name in filter(None, names):
            if found := _only(folder, [path / name for path in chosen if (path / name).is_file()]):
                return found
    return None


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
