"""maskmotion: animate a picture with the motion of a video, on any background.

    import maskmotion

    maskmotion.animate("me.png", "dance.mp4", "out.mp4", background="beach.jpg")

The public API, loaded when first used:

- `animate`: from files to a file.
- `open_engine`: a model made ready to run fast; `animate` takes it as `model`, for many clips.
- `load_model`: a shipped model by name, one of the Hugging Face hub, or a model folder.
- `AnimationSession`: one source on one background, fed with driving frames as tensors.
- `MaskMotionError` and its subclasses, in `maskmotion.errors`.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING

from maskmotion.errors import MaskMotionError

if TYPE_CHECKING:
    from maskmotion.checkpoint import load_model
    from maskmotion.inference.animate import animate
    from maskmotion.inference.engines import open_engine
    from maskmotion.inference.session import AnimationSession

__all__ = ["AnimationSession", "MaskMotionError", "animate", "load_model", "open_engine"]

_HOMES = {
    "animate": "maskmotion.inference.animate",
    "load_model": "maskmotion.checkpoint",
    "open_engine": "maskmotion.inference.engines",
    "AnimationSession": "maskmotion.inference.session",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        return metadata.version("maskmotion")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES, "__version__"]
