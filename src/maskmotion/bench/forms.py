"""What is measured: models, and the forms in which they run."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # forms that need no torch shall not hold its memory
    from maskmotion.models.animator import Animator

Dtype = Literal["float32", "bfloat16"]
Runtime = Literal["torch", "onnx", "openvino"]


@dataclass(frozen=True)
class Subject:
    """A model.

    name: what reports call it. preset: whose networks it has, with random weights; None where
    `name` is what `load_model` takes.
    """

    name: str
    preset: str | None = None

    def load(self, device: str = "cpu") -> "Animator":
        """The model in evaluation mode.

        Raises:
            ModelError: as `load_model`.
        """
        import torch

        from maskmotion.checkpoint import load_model
        from maskmotion.config import load_preset, validate
        from maskmotion.models.animator import Animator

        if self.preset is None:
            return load_model(self.name, device=device)
        torch.manual_seed(0)
        config = validate(load_preset(self.preset), self.preset).model
        return Animator(config).to(device).eval()


PRESETS = (Subject("tiny", "tiny"), Subject("small", "small"), Subject("base", "vox"))


def subject_of(name: str) -> Subject:
    """What users call by a name: one of PRESETS, or a model."""
    presets = {subject.name: subject for subject in PRESETS}
    return presets.get(name, Subject(name))


@dataclass(frozen=True)
class Form:
    """A way to run a model.

    end_to_end: from a video file to a video file; else from pictures in memory to pictures.
    """

    runtime: Literal["plain"] | Runtime
    dtype: Dtype
    end_to_end: bool = False

    @property
    def name(self) -> str:
        """What reports call it, beside its dtype."""
        return f"{self.runtime}, end to end" if self.end_to_end else self.runtime


RUNTIMES: tuple[Runtime, ...] = ("torch", "onnx", "openvino")
PLAIN = Form("plain", "float32")
FORMS = (
    PLAIN,
    Form("torch", "float32"),
    Form("torch", "bfloat16"),
    Form("onnx", "float32"),
    Form("openvino", "float32"),
    Form("openvino", "bfloat16"),
)
EXPORTED = ("onnx", "openvino")
# The packages that a runtime takes, and the extras that bring them.
PACKAGES = {
    "onnx": {"onnxruntime": "onnx", "onnx": "onnx", "onnxscript": "onnx"},
    "openvino": {"openvino": "openvino", "onnx": "onnx", "onnxscript": "onnx"},
}


def missing_extras(runtime: str) -> list[str]:
    """The extras that must be installed before models run there."""
    packages = PACKAGES.get(runtime, {})
    return sorted({extra for package, extra in packages.items() if find_spec(package) is None})
