"""The session: the animator's own results, whatever the batches, sizes and backgrounds."""

import gc
from dataclasses import fields

import pytest
import torch
from tiny import pictures, tiny_animator
from torch import Tensor, nn

from maskmotion.errors import InputError, ModelError, ShapeError
from maskmotion.inference.fit import add_detail, cover, cut, lay, lost_detail, moved_detail, paste
from maskmotion.inference.session import Animated, AnimationSession
from maskmotion.media.fit import square_of
from maskmotion.models.animator import Animation, Animator, large

SIZE = 128


@pytest.fixture(scope="module")
def model() -> Animator:
    return tiny_animator(image_size=SIZE)


def joined(parts: list[Animated]) -> Tensor:
    return torch.cat([part.frames for part in parts])


def close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=0, atol=1e-5)


def test_equals_the_animator(model: Animator) -> None:
    source, driving = pictures(1, seed=1), pictures(2, seed=2)
    with torch.inference_mode():
        expected = model.animate(model.encode_source(source), driving)
    made = AnimationSession(model, source).animate(driving)
    assert torch.equal(made.frames, expected.high_res)
    assert torch.equal(made.alpha, large(expected.refined_mask))
    for field in fields(Animation):
        assert torch.equal(getattr(made.animation, field.name), getattr(expected, field.name))
    assert made.swap is None


@pytest.mark.parametrize("kind", ["scene", "class"])
def test_equals_the_animator_on_a_background(model: Animator, kind: str) -> None:
    source, driving, background = pictures(1, seed=1), pictures(2, seed=2), pictures(1, seed=3)
    with torch.inference_mode():
        animation = model.animate(model.encode_source(source), driving)
        scene = model.encode_background(background, same_class=kind == "class")
        expected = model.swap_background(animation.high_res, animation.refined_mask, scene)
    session = AnimationSession(model, source[0], background=background[0], background_kind=kind)
    made = session.animate(driving)
    assert torch.equal(made.frames, expected.refined)
    assert torch.equal(made.swap.base, expected.base)


def test_scale_replaces_the_models_own() -> None:
    source, driving = pictures(1, seed=1), pictures(2, seed=2)
    model, wanted = (tiny_animator(image_size=SIZE, animation_scale=scale) for scale in (1.0, 0.6))
    made = AnimationSession(model, source, scale=0.6).animate(driving)
    assert torch.equal(made.frames, AnimationSession(wanted, source).animate(driving).frames)


def test_background_kinds_differ(model: Animator) -> None:
    source, driving, background = pictures(1, seed=1), pictures(1, seed=2), pictures(1, seed=3)
    scene, kind = (
        AnimationSession(model, source, background=background, background_kind=kind)
        for kind in ("scene", "class")
    )
    assert not close(scene.animate(driving).frames, kind.animate(driving).frames)


@pytest.mark.parametrize("keep_size", [False, True])
@pytest.mark.parametrize("background", [None, "still", "moving"])
def test_batches_make_no_difference(
    model: Animator, keep_size: bool, background: str | None
) -> None:
    driving = pictures(8, 90, 120, seed=2)
    still = pictures(1, 50, 40, seed=3) if background == "still" else None
    moving = pictures(8, 50, 40, seed=4) if background == "moving" else None
    session = AnimationSession(
        model, pictures(1, 100, 150, seed=1), background=still, keep_size=keep_size
    )
    whole = session.animate(driving, moving)
    single = [
        session.animate(driving[i : i + 1], None if moving is None else moving[i : i + 1])
        for i in range(8)
    ]
    assert whole.frames.shape[-2:] == session.output_size
    assert close(joined(single), whole.frames)
    assert close(torch.cat([part.alpha for part in single]), whole.alpha)


def test_source_and_driving_of_any_shape_are_fitted(model: Animator) -> None:
    source, driving = pictures(1, 61, 200, seed=1), pictures(2, 150, 99, seed=2)
    session = AnimationSession(model, source, fit="letterbox", driving_fit="10,20,60,70")
    expected = AnimationSession(model, cut(source, square_of("letterbox", 61, 200), SIZE)).animate(
        cut(driving, square_of("10,20,60,70", 150, 99), SIZE)
    )
    assert torch.equal(session.animate(driving).frames, expected.frames)


@pytest.mark.parametrize("side", [1, 2, 16])
def test_tiny_pictures(model: Animator, side: int) -> None:
    session = AnimationSession(model, pictures(1, side, side), keep_size=True)
    made = session.animate(pictures(1, side, side, seed=2))
    assert made.frames.shape == (1, 3, side, side)
    assert made.frames.isfinite().all()


@pytest.mark.parametrize("background", [None, "still", "moving"])
@pytest.mark.parametrize("fit", ["crop", "letterbox", "20,10,40,50"])
def test_keep_size_leaves_the_rest_as_it_was(
    model: Animator, fit: str, background: str | None
) -> None:
    source, driving = pictures(1, 90, 161, seed=1), pictures(2, seed=2)
    still = pictures(1, 70, 50, seed=3) if background == "still" else None
    moving = pictures(2, 70, 50, seed=3) if background == "moving" else None
    session = AnimationSession(model, source, background=still, fit=fit, keep_size=True)
    made = session.animate(driving, moving)
    new = still if moving is None else moving
    canvas = source if new is None else cover(new, 90, 161)
    square = square_of(fit, 90, 161)
    outside = paste(torch.ones(1, 1, 90, 161), torch.zeros(1, 1, 8, 8), square)[0, 0].bool()
    assert outside.any() == (fit != "letterbox")
    assert torch.equal(made.frames[..., outside], canvas.expand(2, -1, -1, -1)[..., outside])
    assert (made.alpha[..., outside] == 0).all()
    painting = made.animation if made.swap is None else made.swap
    picture = made.animation.high_res if made.swap is None else made.swap.refined
    seen = cut(canvas, square, SIZE)
    assert (made.kept == 0).all()  # without a gate all is painted
    assert torch.equal(made.frames, lay(canvas, seen, picture, painting.gate, square))


def shutting(network: nn.Module, part: tuple[slice, slice]) -> None:
    """Shut the gate of h or BGRefine in a part of every picture."""

    def shut(module: nn.Module, given: object, painted: Tensor) -> None:
        painted[:, 3][:, *part] = 0

    network.register_forward_hook(shut)


@pytest.mark.parametrize("background", [None, "still", "class", "moving"])
@pytest.mark.parametrize("fit", ["crop", "letterbox", "20,10,140,150", "20,10,40,50"])
def test_keep_size_leaves_what_a_gate_shut_out(fit: str, background: str | None) -> None:
    model = tiny_animator(image_size=SIZE, gate=True)
    shutting(model.high_res, (slice(None), slice(0, 64)))
    shutting(model.background_refiner, (slice(0, 64), slice(None)))
    model.mask_generator.register_forward_hook(lambda *given: given[-1] * 0.3 + 0.6)
    source, driving = pictures(1, 190, 261, seed=1), pictures(2, seed=2)
    new = None if background is None else pictures(2 if background == "moving" else 1, 70, 50)
    session = AnimationSession(
        model,
        source,
        background=None if background == "moving" else new,
        background_kind="class" if background == "class" else "scene",
        fit=fit,
        keep_size=True,
    )
    made = session.animate(driving, new if background == "moving" else None)
    canvas = source if new is None else cover(new, 190, 261)
    square = square_of(fit, 190, 261)
    axis, start = (3, square.left) if new is None else (2, square.top)
    reach = 2 * max(1, square.side / SIZE)
    end = max(int(start + square.side / 2 - reach), 0)
    expected = canvas.expand(2, -1, -1, -1)
    assert torch.equal(made.frames.narrow(axis, 0, end), expected.narrow(axis, 0, end))
    painted = made.frames - expected
    assert (painted.abs().amax((1, 2, 3)) > 0.05).all()
    seen = cut(canvas, square, SIZE)
    picture = made.animation.high_res if made.swap is None else made.swap.refined
    laid = lay(canvas, seen, picture, made.gate, square)
    if made.swap is None:
        assert (made.kept == 0).all()
    else:
        mask = large(made.animation.refined_mask)
        inside = (2 * session.source.large_mask - 1).clamp(min=0)
        kept = made.swap.gate * ((1 - made.animation.gate) * mask * inside)
        assert torch.equal(made.kept, kept)
        assert kept[..., 64:, :64].max() > 0.1  # here h's gate is shut, and BGRefine's is not
        detail = lost_detail(source, cut(source, square, SIZE), square)
        laid = add_detail(laid, detail, kept, square)
    assert torch.equal(made.frames, laid)
    assert (made.moved == 0).all()  # there is no w
    assert made.gate is (made.swap or made.animation).gate


@pytest.mark.parametrize("background", [None, "still", "moving"])
def test_keep_size_moves_what_w_moved(background: str | None) -> None:
    """Where h takes all from a source that w shifts, the source's own size is shifted as it is."""
    model = tiny_animator(image_size=SIZE, gate=True, warp=True)
    steady = torch.tensor([0.25, -0.5])  # half sides: 32 px to the right, 64 px up, of 256
    network = model.warper
    assert network is not None
    network.final.weight.data.zero_()
    network.final.bias.data.copy_(steady)
    model.high_res.register_forward_hook(taking_all_from_w)
    source, driving = pictures(1, 256, 256, seed=1), pictures(2, seed=2)
    new = None if background is None else pictures(2 if background == "moving" else 1, 70, 50)
    session = AnimationSession(
        model, source, background=None if background == "moving" else new, keep_size=True
    )
    made = session.animate(driving, new if background == "moving" else None)
    if made.swap is None:
        assert (made.moved == 1).all()
        inside = slice(70, 250), slice(6, 218)  # bicubic scaling reaches 4 px, edges are repeated
        from_there = slice(6, 186), slice(38, 250)
        shifted = source[..., *from_there].expand(2, -1, -1, -1)
        assert (made.frames[..., *inside] - shifted).abs().max() < 0.02
        return
    mask = large(made.animation.refined_mask)
    moved = made.swap.gate * made.animation.gate * (2 * mask - 1).clamp(min=0)
    assert torch.allclose(made.moved, moved)
    canvas = cover(new, 256, 256)
    square = square_of("crop", 256, 256)
    laid = lay(canvas, cut(canvas, square, SIZE), made.swap.refined, made.gate, square)
    laid = add_detail(laid, session._detail, made.kept, square)
    detail = moved_detail(session._detail, made.animation.flow, square)
    assert torch.allclose(made.frames, add_detail(laid, detail, made.moved, square))


def taking_all_from_w(_: nn.Module, __: object, painted: Tensor) -> None:
    painted[:, 3] = 1
    painted[:, 4] = 0


def test_a_moving_background_leaves_the_session_as_it_was(model: Animator) -> None:
    driving = pictures(1, seed=2)
    session = AnimationSession(model, pictures(1, 90, 161, seed=1), keep_size=True)
    before = session.animate(driving).frames
    session.animate(pictures(3), pictures(3, 70, 50, seed=3))
    assert torch.equal(session.animate(driving).frames, before)


def test_bfloat16_is_near_float32(model: Animator) -> None:
    source, driving, background = pictures(1, seed=1), pictures(2, seed=2), pictures(1, seed=3)
    exact, reduced = (
        AnimationSession(model, source, background=background, dtype=dtype).animate(driving)
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert reduced.frames.dtype == torch.float32
    assert reduced.alpha.dtype == torch.float32
    difference = (reduced.frames - exact.frames).abs()
    assert 0 < difference.mean() < 0.03


def test_nothing_grows_with_the_frames(model: Animator) -> None:
    session = AnimationSession(model, pictures(1, seed=1), background=pictures(1, seed=3))

    def tensors_alive() -> int:
        session.animate(pictures(1, seed=2))
        gc.collect()
        return sum(issubclass(type(thing), Tensor) for thing in gc.get_objects())

    first = tensors_alive()
    assert [tensors_alive() for _ in range(3)] == [first] * 3


def test_results_need_no_gradients_and_the_model_is_in_evaluation_mode() -> None:
    model = tiny_animator(image_size=SIZE).train()
    made = AnimationSession(model, pictures(1)).animate(pictures(1))
    assert not model.training
    assert not made.frames.requires_grad


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"background_kind": "people"}, InputError, "scene or class, not 'people'"),
        ({"dtype": torch.float16}, InputError, "not torch.float16"),
        ({"scale": 0.0}, InputError, "above 0 and up to 2, not 0.0"),
        ({"fit": "0,0,500,500"}, InputError, "inside the picture of 128x128"),
        ({"source": torch.rand(2, 3, 128, 128)}, ShapeError, "expected 1 pictures"),
        ({"source": torch.rand(128, 128)}, ShapeError, "(B, 3, H, W), got (128, 128)"),
        ({"source": torch.rand(4, 128, 128)}, ShapeError, "(B, 3, H, W)"),
        ({"background": torch.rand(2, 3, 9, 9)}, ShapeError, "expected 1 pictures"),
    ],
)
def test_session_refuses(
    model: Animator, options: dict[str, object], error: type[Exception], words: str
) -> None:
    source = options.pop("source", pictures(1))
    with pytest.raises(error) as raised:
        AnimationSession(model, source, **options)
    assert words in str(raised.value)


def test_animate_refuses(model: Animator) -> None:
    session = AnimationSession(model, pictures(1), driving_fit="0,0,100,100")
    with pytest.raises(InputError, match="inside the picture of 64x64"):
        session.animate(pictures(1, 64, 64))
    with pytest.raises(ShapeError, match="expected 2 pictures"):
        session.animate(pictures(2), pictures(3))
    with pytest.raises(ShapeError):
        session.animate(torch.zeros(0, 3, 128, 128))


def test_squares_cut_one_by_one_make_no_difference(model: Animator) -> None:
    driving = pictures(3, 90, 160, seed=2)
    session = AnimationSession(model, pictures(1), driving_fit="9,9,70,70")
    squares = torch.cat([session.square_of_driving(frame) for frame in driving])
    expected = session.animate(driving)
    assert torch.equal(session.animate_squares(squares).frames, expected.frames)


def test_model_without_background_networks() -> None:
    plain = tiny_animator(image_size=SIZE, background_networks=False)
    with pytest.raises(ModelError, match="no background networks"):
        AnimationSession(plain, pictures(1), background=pictures(1))
    session = AnimationSession(plain, pictures(1))
    assert session.animate(pictures(1)).frames.shape == (1, 3, SIZE, SIZE)
    with pytest.raises(ModelError, match="no background networks"):
        session.animate(pictures(1), pictures(1))
