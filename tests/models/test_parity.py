"""Outputs of the published networks, stored in parity/golden.safetensors (docs/method.md, Parity).

All in one test: the networks have 135 M parameters, and two test processes would each build them.
"""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.models.released import parity_checkpoint
from torch import Tensor
from torch.nn import functional as F

from maskmotion.convert import convert_checkpoint
from maskmotion.models.animator import Animator, large, small
from maskmotion.models.background import composition
from maskmotion.models.perturb import perturb_for_animation

THRESHOLD = 60 / 255
ONE_NETWORK = 1e-4  # a network given stored inputs
WHOLE_CHAIN = 1e-3  # pictures alone are stored, every mask in between is ours
INPUTS = {"source", "driving", "third"}
# The stored mask went through uint8 and OpenCV's fixed-point bilinear warp, ours through neither.
WARP_GREY_LEVELS = 2


def converted(parity: Path, folder: Path) -> Animator:
    path = folder / "released.pth.tar"
    torch.save(parity_checkpoint(parity), path)
    try:
        return convert_checkpoint(path, threshold=THRESHOLD)
    finally:
        path.unlink()  # half a gigabyte


@torch.no_grad()
def single_networks(model: Animator, golden: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every stored output from the stored outputs before it."""
    source_mask = F.pad(golden["source_mask_58"], [3] * 4)
    refined, driving_mask = golden["refined_64"], golden["padded_driving_mask"]
    final = golden["animate.second_phase_prediction"]
    out = {
        "source_64": small(golden["source"]),
        "source_mask_58": model.mask_generator.logits(golden["source"]).sigmoid(),
        "driving_mask_58": model.mask_generator.logits(golden["driving"]).sigmoid(),
        "padded_driving_mask": model.mask_generator(golden["driving"]),
        "refined_64": model.refiner(golden["source_64"], source_mask, golden["perturbed_test"]),
        "animate.source_mask": large(source_mask),
        "animate.driving_mask": large(driving_mask),
        "animate.driving_mask_dist": large(golden["perturbed_test"]),
        "animate.fixed_mask": large(refined),
    }
    for path, mask, large_mask in (
        ("animate", refined, golden["animate.fixed_mask"]),
        ("reconstruct", driving_mask, golden["animate.driving_mask"]),
    ):
        low_res = golden[f"{path}.first_phase_prediction"]
        out[f"{path}.first_phase_prediction"] = model.low_res(
            golden["source_64"], source_mask, mask
        )
        out[f"{path}.second_phase_prediction"] = model.high_res(
            golden["source"], golden["animate.source_mask"], low_res, large_mask
        )
    assert model.background_base is not None
    assert model.background_refiner is not None
    third = golden["third"]
    for kind, third_mask in (
        ("same_class", model.mask_generator(third)),
        ("background_only", torch.zeros_like(refined)),
    ):
        masks = third_mask, refined
        base = composition(small(third), small(final), *masks, THRESHOLD, "binary")
        full = composition(third, final, *map(large, masks), THRESHOLD, "binary")
        out[f"swap.{kind}.base"] = model.background_base(base)
        out[f"swap.{kind}.refined"] = model.background_refiner(full, golden[f"swap.{kind}.base"])
    return out


@torch.no_grad()
def chains(model: Animator, golden: dict[str, Tensor]) -> dict[str, Tensor]:
    """What a caller gets from the three pictures alone."""
    state = model.encode_source(golden["source"])
    animation = model.animate(state, golden["driving"])
    reconstruction = model.reconstruct(state, golden["driving"])
    out = {
        "padded_driving_mask": animation.driving_mask,
        "refined_64": animation.refined_mask,
        "animate.first_phase_prediction": animation.low_res,
        "animate.second_phase_prediction": animation.high_res,
        "reconstruct.first_phase_prediction": reconstruction.low_res,
        "reconstruct.second_phase_prediction": reconstruction.high_res,
    }
    for kind in ("same_class", "background_only"):
        background = model.encode_background(golden["third"], same_class=kind == "same_class")
        swap = model.swap_background(animation.high_res, animation.refined_mask, background)
        out |= {f"swap.{kind}.base": swap.base, f"swap.{kind}.refined": swap.refined}
    return out


def differences(found: dict[str, Tensor], golden: dict[str, Tensor]) -> dict[str, float]:
    return {name: float((value - golden[name]).abs().max()) for name, value in found.items()}


@pytest.mark.slow
def test_released_networks_give_the_stored_outputs(testdata: Path, tmp_path: Path) -> None:
    parity = testdata / "parity"
    golden = load_file(parity / "golden.safetensors")
    model = converted(parity, tmp_path)
    assert model.config.background_networks
    assert model.config.animation_scale == 0.75

    single = differences(single_networks(model, golden), golden)
    assert single.keys() | INPUTS | {"perturbed_test"} == golden.keys()
    assert {name: value for name, value in single.items() if not value <= ONE_NETWORK} == {}

    perturbed = perturb_for_animation(golden["padded_driving_mask"], THRESHOLD, 0.75)
    grey = [(mask * 255).round() for mask in (perturbed, golden["perturbed_test"])]
    assert (grey[0] - grey[1]).abs().max() <= WARP_GREY_LEVELS

    whole = differences(chains(model, golden), golden)
    assert {name: value for name, value in whole.items() if not value <= WHOLE_CHAIN} == {}
