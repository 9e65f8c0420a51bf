"""The published encoders by name: what each is, where its weights come from, and how its file is read.

Sizes are those of the published files, but for some that are inferred: from the published shapes those of
eat-large, dasheng-0.6b, dasheng-1.2b and bird-mae, from those of their parents esp-aves2. The four iterations
of BEATs have the same shapes and settings.
"""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from protoviz.encoders import asit, audiomae, bat, beats, dasheng, eat
from protoviz.encoders.base import EncoderError
from protoviz.encoders.layouts import Checkpoint, UnknownLayout
from protoviz.encoders.options import LoadOptions
from protoviz.encoders.published import Architecture, PublishedEncoder
from protoviz.encoders.sources import Source, find_published, on_hub, source_of
from protoviz.encoders.weights import WeightsError

CONFIG = ("config.json",)
MIRROR = "a mirror of a third party, as the authors' own links are reported dead"
ON_ONEDRIVE = "its authors' page leads to OneDrive, which only a browser opens"


@dataclass(frozen=True)
class Published:
    """One published encoder: how to read it, and what to tell a reader."""

    architecture: Architecture
    summary: str
    source: Source
    own: dict[str, float] = field(default_factory=dict)  # options that its authors set otherwise


def _hugging_face(
    repository: str, megabytes: int, licence: str, file: str = "model.safetensors", **more
) -> Source:
    return on_hub(repository, file, megabytes, licence, beside=CONFIG, **more)


def _eat(summary: str, repository: str, megabytes: int) -> Published:
    return Published(eat.ARCHITECTURE, summary, _hugging_face(repository, megabytes, "MIT"))


def _dasheng(size: str, megabytes: int) -> Published:
    source = _hugging_face(f"mispeech/dasheng-{size}", megabytes, "Apache-2.0")
    return Published(
        dasheng.ARCHITECTURE, f"Dasheng {size}, self-supervised; one band of 40 ms cells", source
    )


def _iteration(number: int) -> Published:
    page = "https://github.com/microsoft/unilm/tree/master/beats"
    source = Source("MIT", page, f"BEATs_iter{number}.pt", 361, note=ON_ONEDRIVE)
    return Published(beats.ARCHITECTURE, f"BEATs iteration {number}, self-supervised on AudioSet", source)


def _bird_mae(size: str, megabytes: int) -> Published:
    repository, note = f"DBD-research-group/Bird-MAE-{size}", "its authors name no licence"
    source = _hugging_face(repository, megabytes, "none named", note=note)
    return Published(audiomae.BIRD, f"Bird-MAE {size.lower()}, self-supervised on BirdSet", source)


def _esp(model: str, trained: str) -> Published:
    repository, note = f"EarthSpeciesProject/esp-aves2-{model}", "not for commercial use"
    source = on_hub(repository, f"esp-aves2-{model}.safetensors", 361, "CC-BY-NC-SA", note=note)
    if "beats" in model:
        return Published(beats.ARCHITECTURE, f"BEATs of EarthSpecies, {trained}", source)
    # The mean and the spread of their own log-mel values.
    scale = {"mean": -5.553, "std": 4.606}
    return Published(eat.ARCHITECTURE, f"EAT of EarthSpecies, {trained}", source, scale)


def _openbeats(size: str) -> Published:
    note = "the licence is that of its fine-tuned forms"
    source = on_hub(f"shikhar7ssu/OpenBEATs-{size}-i3", "", 0, "CC-BY 4.0", note=note)
    summary = f"OpenBEATs {size.lower()}, iteration 3, self-supervised on speech, music, sounds and animals"
    return Published(beats.ARCHITECTURE, summary, source)


PUBLISHED: dict[str, Published] = {
    "eat": _eat("EAT base, self-supervised on AudioSet", "worstchan/EAT-base_epoch30_pretrain", 360),
    "eat+": _eat("EAT base, fine-tuned on AudioSet", "worstchan/EAT-base_epoch30_finetune_AS2M", 362),
    "eat-large": _eat("EAT large, self-supervised on AudioSet", "worstchan/EAT-large_epoch20_pretrain", 1235),
    "eat-large+": _eat(
        "EAT large, fine-tuned on AudioSet", "worstchan/EAT-large_epoch20_finetune_AS2M", 1238
    ),
    "sslam": _eat("SSLAM base, self-supervised on AudioSet and mixtures of it", "ta012/SSLAM_pretrain", 360),
    "sslam+": _eat("SSLAM base, fine-tuned on AudioSet", "ta012/SSLAM_AS2M_Finetuned", 362),
    "beats-iter1": _iteration(1),
    "beats-iter2": _iteration(2),
    "beats-iter3": _iteration(3),
    "beats": Published(
        beats.ARCHITECTURE,
        "BEATs iteration 3+, self-supervised on AudioSet",
        on_hub("tsinghua-ee/WAVE-7B", "BEATs_iter3_plus_AS2M.pt", 361, "MIT", note=MIRROR),
    ),
    "beats+": Published(
        beats.ARCHITECTURE,
        "BEATs iteration 3+, fine-tuned on AudioSet",
        on_hub("camenduru/beats", "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt", 363, "MIT", note=MIRROR),
    ),
    "a-mae": Published(
        audiomae.ARCHITECTURE,
        "AudioMAE base, self-supervised on AudioSet",
        _hugging_face(
            "gaunernst/vit_base_patch16_1024_128.audiomae_as2m",
            343,
            "CC-BY-NC 4.0",
            "pytorch_model.bin",
            note="a port under timm's names; not for commercial use",
        ),
    ),
    "bird-mae": _bird_mae("Base", 342),
    "bird-mae-large": _bird_mae("Large", 1211),
    "bird-mae-huge": _bird_mae("Huge", 2521),
    "esp-aves2-eat-all": _esp("eat-all", "self-supervised on animals and AudioSet"),
    "esp-aves2-eat-bio": _esp("eat-bio", "self-supervised on animals"),
    "esp-aves2-sl-eat-all": _esp("sl-eat-all-ssl-all", "self-supervised on both, then on labels of both"),
    "esp-aves2-sl-eat-bio": _esp("sl-eat-bio-ssl-all", "self-supervised on both, then on labels of animals"),
    "esp-aves2-sl-beats-all": _esp("sl-beats-all", "trained on with labels of animals and AudioSet"),
    "esp-aves2-sl-beats-bio": _esp("sl-beats-bio", "trained on with labels of animals"),
    "esp-aves2-naturelm-beats": _esp("naturelm-audio-v1-beats", "trained on within NatureLM-audio"),
    "openbeats": _openbeats("Base"),
    "openbeats-large": _openbeats("Large"),
    "asit": Published(
        asit.ARCHITECTURE,
        "ASiT base, self-supervised on AudioSet; at 10 s its positions are interpolated",
        Source("none given by its authors", "https://github.com/Sara-Ahmed/ASiT"),
    ),
    "bat": Published(
        bat.ARCHITECTURE,
        "BAT base, self-supervised on AudioSet; gated attention",
        _hugging_face(
            "lrauch/BAT-vit-b16-pretrainedAS2M",
            371,
            "MIT",
            note="the licence is that of its code; that of the weights could not be read",
        ),
    ),
    "dasheng": _dasheng("base", 342),
    "dasheng-0.6b": _dasheng("0.6B", 2521),
    "dasheng-1.2b": _dasheng("1.2B", 4536),
}


def load_published(name: str, weights: str | Path | None = None, **options) -> PublishedEncoder:
    """Return the frozen published encoder `name`, of PUBLISHED or hf:owner/name; weights and where they are
    looked for: see `find_published`.

    options: the fields of `LoadOptions`. Raises EncoderError for an unknown option, WeightsError for weights
    that are absent, damaged, do not fit, or are not what the name promises: fine-tuned ones have a head, and
    names with a + hold such. Keys of other networks in the file (a loss's, a probe's) are left out and named
    in the encoder's `beside`. What the file cannot show goes unseen: self-supervised files of EAT and SSLAM
    look alike, and so do fine-tuned ones. Of a repository that is not in PUBLISHED the keys and the
    configuration tell the architecture; WeightsError where they fit none, or several.
    """
    known = [option.name for option in fields(LoadOptions)]
    if unknown := [option for option in options if option not in known]:
        raise EncoderError(f"{name} takes no option {', '.join(unknown)}; there are {', '.join(known)}")
    source, entry = _entry(name)
    asked = {option: value for option, value in options.items() if value is not None}
    chosen = LoadOptions(**((entry.own if entry else {}) | asked))
    path = find_published(name, source, weights, PUBLISHED.keys() - {name})
    if entry:
        architecture, checkpoint = entry.architecture, entry.architecture.read(path, chosen)
    else:
        architecture, checkpoint = _recognised(path, name, chosen)
    encoder = architecture.build(checkpoint, name, chosen)
    if name in PUBLISHED or chosen.head is not None:
        _keep_promise(encoder, path, chosen)
    return encoder


def _entry(name: str) -> tuple[Source, Published | None]:
    """Where the weights of a name lie, and what PUBLISHED knows of it."""
    if name in PUBLISHED:
        return PUBLISHED[name].source, PUBLISHED[name]
    asked = source_of(name)
    for entry in PUBLISHED.values():
        if entry.source.repository == asked.repository and asked.file in ("", entry.source.file):
            return entry.source, entry
    return asked, None


def _recognised(path: Path, name: str, options: LoadOptions) -> tuple[Architecture, Checkpoint]:
    """The only architecture that a file's keys and the configuration beside it allow, and what it reads."""
    known: dict[Architecture, str] = {}
    for title, entry in PUBLISHED.items():
        known.setdefault(entry.architecture, title)
    found, refused = {}, []
    for architecture, title in known.items():
        try:
            found[title] = architecture, architecture.read(path, options)
        except UnknownLayout:
            continue
        except EncoderError as error:
            refused.append(str(error))
    if len(found) > 1:  # some have a key in common that tells their layouts
        found = {title: one for title, one in found.items() if _fits(*one, options)} or found
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        first = next(iter(found))
        raise WeightsError(
            f"{path} may be {' or '.join(found)}: nothing in it says which; name it, and give the place as "
            f"weights: load_encoder({first!r}, weights={name!r})"
        )
    raise WeightsError("\n".join(refused) or f"{path} is in no layout of {', '.join(known.values())}")


def _fits(architecture: Architecture, checkpoint: Checkpoint, options: LoadOptions) -> bool:
    """Whether all keys and shapes are the architecture's; no weight is touched."""
    shapes = {key: tensor.to("meta") for key, tensor in checkpoint.tensors.items()}
    try:
        architecture.build(replace(checkpoint, tensors=shapes), "shapes", options)
    except EncoderError:
        return False
    return True


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
    raise WeightsError(f"{path} {shown}, which is not what {name!r} is; {other}pass head={head is not None}")
