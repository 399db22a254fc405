"""Preview sheets of a training run: one row a sample, one titled column a picture."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from maskmotion.durable import write_atomically
from maskmotion.media.sheet import sheet
from maskmotion.models.animator import Animator, large
from maskmotion.models.draws import Draws
from maskmotion.models.perturb import perturb_for_training


@torch.no_grad()
def preview_columns(
    model: Animator, source: Tensor, driving: Tensor, other: Tensor, seed: int
) -> dict[str, Tensor]:
    """Every picture of the data flow, in evaluation mode (no BatchNorm statistics move).

    Args:
        model: the networks.
        source: (B, 3, H, W) RGB in [0, 1].
        driving: (B, 3, H, W), frames of the same clips.
        other: (B, 3, H, W) `other_driving`, frames of other clips.
        seed: of the perturbation.
    Returns:
        Column title -> (B, 3 or 1, H, W) in [0, 1].
    """
    training = model.training
    model.eval()
    draws = Draws(torch.Generator(source.device).manual_seed(seed))
    state = model.encode_source(source)
    same = model.reconstruct(state, driving)
    perturbed = perturb_for_training(same.driving_mask, model.config.threshold, draws)
    refined = model.animate_from_mask(state, same.driving_mask, perturbed).refined_mask
    moved = model.animate(state, other)
    columns = {
        "source": source,
        "driving": driving,
        "source mask": large(state.mask),
        "driving mask": large(same.driving_mask),
        "perturbed": large(perturbed),
        "refined": large(refined),
        "low-res": same.low_res,
    }
    if model.warper is not None:
        columns["warped"] = same.warped
    columns["high-res"] = same.high_res
    if model.background_base is not None:
        scene = model.encode_background(source, same_class=True)
        swap = model.swap_background(driving, same.driving_mask, scene)
        columns |= {"background base": swap.base, "background refined": swap.refined}
    columns |= {
        "other driving": other,
        "its refined mask": large(moved.refined_mask),
        **({"source warped": moved.warped} if model.warper is not None else {}),
        "animated": moved.high_res,
    }
    if model.background_base is not None:
        scene = model.encode_background(other, same_class=True)
        columns["on other's scene"] = model.swap_background(
            moved.high_res, moved.refined_mask, scene
        ).refined
    model.train(training)
    return columns


def save_sheet(columns: dict[str, Tensor], path: Path) -> Image.Image:
    """Write `sheet` as a PNG, and return it."""
    page = sheet(columns)
    write_atomically(path, lambda p: page.save(p, format="PNG"))
    return page
