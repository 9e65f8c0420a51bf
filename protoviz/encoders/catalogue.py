"""The published encoders by name: what each is, where its weights come from, and how its file is read."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from protoviz.encoders.asit import load_asit
from protoviz.encoders.audiomae import load_audiomae
from protoviz.encoders.base import EncoderError
from protoviz.encoders.bat import load_bat
from protoviz.encoders.beats import load_beats
from protoviz.encoders.dasheng import load_dasheng
from protoviz.encoders.eat import load_eat
from protoviz.encoders.published import LoadOptions, PublishedEncoder
from protoviz.encoders.sources import Source, find_published, on_hub, present
from protoviz.encoders.weights import WeightsError

CONFIG = ("config.json",)
MIRROR = "a mirror of a third party, as the authors' own links are reported dead"


@dataclass(frozen=True)
class Published:
    """One published encoder: how to read it, and what to tell a reader."""

    load: Callable[[Path, str, LoadOptions], PublishedEncoder]
    summary: str
    source: Source
    grid: tuple[int, int] = (64, 8)  # of 10 s
    cls_kind: str = "cls"


PUBLISHED: dict[str, Published] = {
    "eat": Published(
        load_eat,
        "EAT base, self-supervised on AudioSet",
        on_hub("worstchan/EAT-base_epoch30_pretrain", "model.safetensors", 360, "MIT", beside=CONFIG),
    ),
    "eat+": Published(
        load_eat,
        "EAT base, fine-tuned on AudioSet",
        on_hub("worstchan/EAT-base_epoch30_finetune_AS2M", "model.safetensors", 362, "MIT", beside=CONFIG),
    ),
    "sslam": Published(
        load_eat,
        "SSLAM base, self-supervised on AudioSet and mixtures of it",
        on_hub("ta012/SSLAM_pretrain", "model.safetensors", 360, "MIT", beside=CONFIG),
    ),
    "sslam+": Published(
        load_eat,
        "SSLAM base, fine-tuned on AudioSet",
        on_hub("ta012/SSLAM_AS2M_Finetuned", "model.safetensors", 362, "MIT", beside=CONFIG),
    ),
    "beats": Published(
        load_beats,
        "BEATs iteration 3+, self-supervised on AudioSet",
        on_hub("tsinghua-ee/WAVE-7B", "BEATs_iter3_plus_AS2M.pt", 361, "MIT", note=MIRROR),
        (62, 8),
        "mean token",
    ),
    "beats+": Published(
        load_beats,
        "BEATs iteration 3+, fine-tuned on AudioSet",
        on_hub("camenduru/beats", "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt", 363, "MIT", note=MIRROR),
        (62, 8),
        "mean token",
    ),
    "a-mae": Published(
        load_audiomae,
        "AudioMAE base, self-supervised on AudioSet",
        on_hub(
            "gaunernst/vit_base_patch16_1024_128.audiomae_as2m",
            "pytorch_model.bin",
            343,
            "CC-BY-NC 4.0",
            beside=CONFIG,
            note="a port under timm's names; not for commercial use",
        ),
    ),
    "asit": Published(
        load_asit,
        "ASiT base, self-supervised on AudioSet; at 10 s its positions are interpolated",
        Source("none given by its authors", "https://github.com/Sara-Ahmed/ASiT"),
    ),
    "bat": Published(
        load_bat,
        "BAT base, self-supervised on AudioSet; gated attention",
        on_hub(
            "lrauch/BAT-vit-b16-pretrainedAS2M",
            "model.safetensors",
            371,
            "MIT",
            beside=CONFIG,
            note="the licence is that of its code; that of the weights could not be read",
        ),
    ),
    "dasheng": Published(
        load_dasheng,
        "Dasheng base, self-supervised; one band of 40 ms cells",
        on_hub("mispeech/dasheng-base", "model.safetensors", 342, "Apache-2.0", beside=CONFIG),
        (250, 1),
        "mean token",
    ),
}


def load_published(name: str, weights: str | Path | None = None, **options) -> PublishedEncoder:
    """Return the frozen published encoder `name`; weights and where they are looked for: see
    `find_published`.

    options: the fields of `LoadOptions`. Raises EncoderError for an unknown option, WeightsError for weights
    that are absent, damaged, do not fit, or are not what the name promises: fine-tuned ones have a head, and
    names with a + hold such. Keys of other networks in the file (a loss's, a probe's) are left out and named
    in the encoder's `beside`. What the file cannot show goes unseen: self-supervised files of EAT and SSLAM
    look alike, and so do fine-tuned ones.
    """
    known = [field.name for field in fields(LoadOptions)]
    if unknown := [option for option in options if option not in known]:
        raise EncoderError(f"{name} takes no option {', '.join(unknown)}; there are {', '.join(known)}")
    entry, chosen = PUBLISHED[name], LoadOptions(**options)
    path = find_published(name, entry.source, weights, PUBLISHED.keys() - {name})
    encoder = entry.load(path, name, chosen)
    _keep_promise(encoder, path, chosen)
    return encoder


def _keep_promise(encoder: PublishedEncoder, path: Path, options: LoadOptions) -> None:
    """Raise WeightsError if a file is fine-tuned and its name says otherwise, or the reverse."""
    name, head = encoder.name, getattr(encoder, "head", None)
    fine_tuned = name.endswith("+")
    if (head is not None) == (fine_tuned if options.head is None else options.head):
        return
    if head is not None:
        shown, known = f"is fine-tuned: it has a head of {head.out_features} classes", f"{name}+"
    else:
        used = f" and {encoder.left_out[0]}, which only pre-training uses" if encoder.left_out else ""
        other = f" ({encoder.beside[0]} is none of its network's)" if encoder.beside else ""
        shown, known = f"is not fine-tuned: it has no head{other}{used}", name.removesuffix("+")
    other = f"load it as {known!r}, or " if options.head is None and known in PUBLISHED else ""
    raise WeightsError(f"{path} {shown}, and {name!r} promises another; {other}pass head={head is not None}")


def rows() -> list[dict]:
    """Return what there is to say on each published encoder without loading it, for a table; `present`: its
    file.
    """
    return [
        {
            "name": name,
            "summary": entry.summary,
            "source": entry.source.page,
            "licence": entry.source.licence,
            "megabytes": entry.source.megabytes or None,
            "present": present(name, entry.source),
            "grid": entry.grid,
            "cls": entry.cls_kind,
        }
        for name, entry in PUBLISHED.items()
    ]
