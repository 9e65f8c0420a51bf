"""See, hear and measure the pooling bottleneck of frozen audio encoders.

The names that a notebook needs live here. Each is imported when first used: `import protoviz` is instant.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("protoviz")
except PackageNotFoundError:  # a source tree on the path, not installed
    __version__ = "0+unknown"

# Name -> the room that defines it.
_HOMES = {
    "AudioError": "audio",
    "read_audio": "audio",
    "Event": "scenes",
    "Scene": "scenes",
    "make_scene": "scenes",
    "ClipSet": "datasets",
    "DATASETS": "datasets",
    "load_dataset": "datasets",
    "scene_clips": "datasets",
    "ENCODERS": "encoders",
    "Encoding": "encoders",
    "load_encoder": "encoders",
    "TokenCache": "cache",
    "PROBES": "probes",
    "Explanation": "probes",
    "build_probe": "probes",
    "load_probe": "probes",
    "save_probe": "probes",
    "average_precision": "metrics",
    "mean_average_precision": "metrics",
    "FitConfig": "training",
    "fit": "training",
    "fit_many": "training",
    "predict": "training",
    "open_study": "study",
}
__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'protoviz' has no attribute {name!r}")
    return getattr(import_module(f"protoviz.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
