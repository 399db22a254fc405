"""Each network by itself: sizes, channels, ranges."""

import pytest
import torch
from tests.models.tiny import WIDTH, pictures, tiny_animator
from torch import nn

from maskmotion.config import ModelConfig
from maskmotion.models.animator import Animator
from maskmotion.models.blocks import scaled
from maskmotion.models.generator import HighResGenerator, LowResGenerator
from maskmotion.models.mask import MaskGenerator
from maskmotion.models.refine import MaskRefiner

SIZES = [(128, 128), (256, 256), (128, 256)]


def unbuilt(width: float = 1.0, **settings: object) -> Animator:
    """An animator without memory for its weights."""
    with torch.device("meta"):
        return Animator(ModelConfig.model_validate({"width": width} | settings))


@pytest.mark.parametrize(
    ("network", "millions"),
    [
        ("mask_generator", 12.57),
        ("refiner", 31.4),
        ("low_res", 7.5),
        ("high_res", 37.6),
        ("background_refiner", 37.6),
    ],
)
def test_parameters_at_full_width_are_the_papers(network: str, millions: float) -> None:
    count = sum(p.numel() for p in unbuilt().get_submodule(network).parameters()) / 1e6
    assert count == pytest.approx(millions, abs=0.06 if network != "mask_generator" else 0.006)


def test_background_base_is_low_res_with_three_more_inputs() -> None:
    model = unbuilt()
    base, low_res = (
        sum(p.numel() for p in model.get_submodule(name).parameters())
        for name in ("background_base", "low_res")
    )
    assert base - low_res == 3 * 7 * 7 * 256


@pytest.mark.parametrize("width", [0.5, 0.25, 1 / 16, 2])
def test_width_multiplies_every_channel_count(width: float) -> None:
    full = dict(unbuilt().named_modules())
    checked = 0
    for name, module in unbuilt(width).named_modules():
        if isinstance(module, nn.Conv2d) and not name.endswith("final"):
            assert module.out_channels == scaled(full[name].out_channels, width), name
            checked += 1
        elif name.endswith("final"):
            assert module.out_channels == full[name].out_channels, name
    assert checked == 4 * 10 + 2 * 15


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("padded", [False, True])
def test_mask_generator(size: tuple[int, int], padded: bool) -> None:
    model = tiny_animator(padded_masks=padded).mask_generator
    height, width = size[0] // 4, size[1] // 4
    lost = 0 if padded else 6
    image = pictures(2, *size)
    logits, mask = model.logits(image), model(image)
    assert logits.shape == (2, 1, height - lost, width - lost)
    assert mask.shape == (2, 1, height, width)
    inner = torch.zeros(height, width, dtype=torch.bool)
    inner[lost // 2 : height - lost // 2, lost // 2 : width - lost // 2] = True
    torch.testing.assert_close(mask[..., inner], logits.sigmoid().flatten(2))
    assert (mask[..., inner] > 0).all()
    assert (mask[..., ~inner] == 0).all()
    assert mask[..., inner].std() > 0.05  # the weights make masks that vary


@pytest.mark.parametrize("network", [MaskGenerator(WIDTH), MaskRefiner(WIDTH)])
def test_masks_are_divided_by_the_temperature(network: nn.Module) -> None:
    network.eval()
    nn.init.zeros_(network.final.weight)
    nn.init.constant_(network.final.bias, 0.2)
    image = pictures(1)
    if isinstance(network, MaskGenerator):
        torch.testing.assert_close(network.logits(image), torch.full((1, 1, 26, 26), 2.0))
        out = network(image)[..., 3:-3, 3:-3]
    else:
        out = network(image, image[:, :1], image[:, :1])
    torch.testing.assert_close(out, torch.full_like(out, 2.0).sigmoid())


@pytest.mark.parametrize("size", SIZES)
def test_refiner_keeps_the_masks_size(size: tuple[int, int]) -> None:
    height, width = size[0] // 4, size[1] // 4
    source = pictures(2, height, width)
    out = tiny_animator().refiner(source, source[:, :1], source[:, 1:2])
    assert out.shape == (2, 1, height, width)
    assert ((out >= 0) & (out <= 1)).all()


@pytest.mark.parametrize("size", SIZES)
def test_generators_paint_at_full_size(size: tuple[int, int]) -> None:
    model = tiny_animator()
    source = pictures(2, *size)
    reduced = source[..., ::4, ::4]
    low_res = model.low_res(reduced, reduced[:, :1], reduced[:, 1:2])
    high_res = model.high_res(source, source[:, :1], low_res, source[:, 1:2])
    for out in (low_res, high_res):
        assert out.shape == (2, 3, *size)
        assert ((out >= 0) & (out <= 1)).all()


@pytest.mark.parametrize("kind", [MaskGenerator, MaskRefiner, LowResGenerator, HighResGenerator])
def test_every_weight_is_used(kind: type[nn.Module]) -> None:
    network = kind(WIDTH).train()
    image = pictures(2)
    mask = image[:, :1]
    inputs = {
        MaskGenerator: (image,),
        MaskRefiner: (image, mask, mask),
        LowResGenerator: (image[..., :32, :32], mask[..., :32, :32], mask[..., :32, :32]),
        HighResGenerator: (image, mask, image, mask),
    }[kind]
    network(*inputs).square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_outputs_are_float32_under_bfloat16_autocast() -> None:
    model = tiny_animator()
    image = pictures(1)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        animation = model.animate(model.encode_source(image), image)
    assert animation.driving_mask.dtype == torch.float32
    assert animation.refined_mask.dtype == torch.float32
    assert animation.low_res.dtype == torch.float32
    assert animation.high_res.dtype == torch.float32
