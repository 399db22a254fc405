"""Which device networks run on."""

import torch

from maskmotion.errors import InputError


def pick_device(name: str) -> torch.device:
    """A device by name; "auto" takes CUDA, then Apple's GPU, then the CPU.

    Raises:
        InputError: no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError):
        raise InputError(
            f"there is no device {name!r} here; use auto or cpu, and see `maskmotion doctor`"
        ) from None
    return device
