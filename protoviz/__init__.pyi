"""The names that a notebook needs, as editors and type checkers read them; `__init__.py` reads them too."""

from protoviz.audio import AudioError as AudioError
from protoviz.audio import read_audio as read_audio
from protoviz.cache import TokenCache as TokenCache
from protoviz.datasets import DATASETS as DATASETS
from protoviz.datasets import ClipSet as ClipSet
from protoviz.datasets import load_dataset as load_dataset
from protoviz.datasets import scene_clips as scene_clips
from protoviz.encoders import ENCODERS as ENCODERS
from protoviz.encoders import Encoding as Encoding
from protoviz.encoders import load_encoder as load_encoder
from protoviz.experiments.guided import new_study as new_study
from protoviz.experiments.guided import run_study as run_study
from protoviz.experiments.opening import add_to_study as add_to_study
from protoviz.explorer.serving import serve as serve
from protoviz.figures.of_study import figure as figure
from protoviz.metrics import average_precision as average_precision
from protoviz.metrics import mean_average_precision as mean_average_precision
from protoviz.probes import PROBES as PROBES
from protoviz.probes import Explanation as Explanation
from protoviz.probes import build_probe as build_probe
from protoviz.probes import load_probe as load_probe
from protoviz.probes import save_probe as save_probe
from protoviz.scenes import Event as Event
from protoviz.scenes import Scene as Scene
from protoviz.scenes import make_scene as make_scene
from protoviz.study import open_study as open_study
from protoviz.training import FitConfig as FitConfig
from protoviz.training import fit as fit
from protoviz.training import fit_many as fit_many
from protoviz.training import predict as predict

__version__: str
