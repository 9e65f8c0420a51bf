"""A hub that lies in a folder: what its client gives, and the cache that the client keeps."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors.torch import save_file


def kept(cache: Path, repository: str, file: Path, name: str | None = None, commit="c0ffee", content=None):
    """A file as the hub's client keeps it: a link to a blob that is named by its checksum."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    data = file.read_bytes()
    blob = folder / "blobs" / hashlib.sha256(data).hexdigest()
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(data if content is None else content)
    link = folder / "snapshots" / commit / (name or file.name)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(blob)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(commit)
    return link


class FakeHub:
    """The part of `huggingface_hub` that is called; repositories are folders below `served`."""

    def __init__(self, served: Path, cache: Path, licence: str | None = "mit"):
        self.served, self.cache, self.licence = served, cache, licence
        self.asked: list[str] = []

    def model_info(self, repository, files_metadata=False):
        self.asked.append(repository)
        folder = self.served / repository
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        listed = [
            SimpleNamespace(rfilename=str(path.relative_to(folder)), size=path.stat().st_size)
            for path in files
        ]
        card = None if self.licence is None else SimpleNamespace(license=self.licence)
        return SimpleNamespace(siblings=listed, card_data=card)

    def hf_hub_download(self, repo_id, filename):
        self.asked.append(filename)
        return str(kept(self.cache, repo_id, self.served / repo_id / filename, filename))


def parts(tensors: dict, folder: Path, name: str, suffix: str, count: int = 3) -> Path:
    """The tensors in so many parts, and their index, as Hugging Face's programs write them."""
    keys, places = list(tensors), {}
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        file = f"{name}-{number + 1:05}-of-{count:05}{suffix}"
        part = {key: tensors[key] for key in keys[number::count]}
        places |= dict.fromkeys(part, file)
        if suffix == ".bin":
            torch.save(part, folder / file)
        else:
            save_file(part, str(folder / file))
    index = folder / f"{name}{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return index
