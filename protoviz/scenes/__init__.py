"""Scenes: procedural or recorded events over a background, every place known, the same from the seed.

>>> scene = make_scene(seed=7, polyphony=4)
>>> scene.waveform.shape, scene.labels
"""

from protoviz.scenes.mixer import Event, Scene, SceneConfig, make_scene, scene_labels
from protoviz.scenes.synth import RECIPE_VERSION, SCENE_CLASSES, SOUND_CLASSES, ProceduralSources

__all__ = [
    "RECIPE_VERSION",
    "SCENE_CLASSES",
    "SOUND_CLASSES",
    "Event",
    "ProceduralSources",
    "Scene",
    "SceneConfig",
    "make_scene",
    "scene_labels",
]
