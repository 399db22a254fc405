"""The exceptions of maskmotion.

MaskMotionError
├── InputError            what the caller gave cannot be used; the command line exits with code 2
│   ├── MediaError        a picture or video is missing, broken, or of an unknown kind
│   ├── ModelError        a model folder or checkpoint is missing, incomplete, or of another version
│   ├── ConfigError       a setting is unknown or out of range
│   └── DataError         a training set holds nothing to train on
├── ShapeError            tensors whose shapes do not fit together
├── TrainingError         training cannot go on (a loss is no longer finite)
└── MissingExtraError     an optional library is not installed

Each message is one sentence: what was wrong, and what to do.
"""


class MaskMotionError(Exception):
    """Base of all exceptions that maskmotion raises on purpose."""


class InputError(MaskMotionError):
    """What the caller gave cannot be used."""


class MediaError(InputError):
    """A picture or video is missing, broken, or of an unknown kind."""


class ModelError(InputError):
    """A model folder or checkpoint is missing, incomplete, or of another version."""


class ConfigError(InputError):
    """A setting is unknown or out of range."""


class DataError(InputError):
    """A training set holds nothing to train on."""


class ShapeError(MaskMotionError, ValueError):
    """Tensors whose shapes do not fit together."""


class TrainingError(MaskMotionError):
    """Training cannot go on, for example because a loss is no longer finite."""


class MissingExtraError(MaskMotionError, ImportError):
    """An optional library is not installed."""
