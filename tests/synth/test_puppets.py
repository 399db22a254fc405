"""Rendered figures: exact masks, counterfactuals, and motion that stays in the picture."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskmotion.errors import ConfigError
from maskmotion.media import open_video
from maskmotion.synth import puppets
from maskmotion.synth._figure import make_figure
from maskmotion.synth._motion import LIMITS, make_motion
from maskmotion.synth._skeleton import pose_joints
from maskmotion.synth.puppets import JOINTS, composite, render_background, render_clip

SEEDS = st.integers(0, 10**6)
BONES = [
    ("shoulder", "elbow"),
    ("elbow", "wrist"),
    ("wrist", "hand"),
    ("hip", "knee"),
    ("knee", "ankle"),
    ("ankle", "toe"),
]


def clip(figure: int = 1, motion: int = 2, background: int = 3, **options) -> puppets.PuppetClip:
    seeds = {"figure_seed": figure, "motion_seed": motion, "background_seed": background}
    return render_clip(**seeds, **{"frames": 8, "size": 64, **options})


def bone_angles(joints: np.ndarray) -> np.ndarray:
    pairs = [(f"{side}_{a}", f"{side}_{b}") for side in "lr" for a, b in BONES]
    pairs += [("pelvis", "spine"), ("spine", "neck"), ("neck", "head")]
    start, end = (joints[:, [JOINTS.index(pair[i]) for pair in pairs]] for i in (0, 1))
    return np.arctan2(*np.moveaxis(end - start, -1, 0))


def test_shapes_and_types():
    made = clip(frames=5, size=48)
    assert made.frames.shape == made.foreground.shape == (5, 48, 48, 3)
    assert made.alpha.shape == (5, 48, 48)
    assert made.background.shape == (48, 48, 3)
    assert made.joints.shape == (5, len(JOINTS), 2)
    assert made.frames.dtype == made.alpha.dtype == made.background.dtype == np.uint8
    assert made.joints.dtype == np.float32


def test_frames_are_the_exact_composite():
    made = clip()
    a = made.alpha[..., None] / 255
    exact = a * made.foreground + (1 - a) * made.background
    np.testing.assert_array_equal(made.frames, np.floor(exact + 0.5).astype(np.uint8))
    outside, inside = made.alpha == 0, made.alpha == 255
    everywhere = np.broadcast_to(made.background, made.frames.shape)
    np.testing.assert_array_equal(made.frames[outside], everywhere[outside])
    np.testing.assert_array_equal(made.frames[inside], made.foreground[inside])
    assert inside.mean() > 0.03


def test_edges_are_smooth():
    alpha = clip(size=128, frames=2).alpha
    soft = (alpha > 0) & (alpha < 255)
    assert len(np.unique(alpha)) > 12
    assert 0.005 < soft.mean() < 0.2


@pytest.mark.parametrize("size", [33, 64, 200])
def test_same_seeds_give_same_bytes(size):
    one, two = clip(size=size, frames=3), clip(size=size, frames=3)
    for name in ("frames", "alpha", "background", "joints", "foreground"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()


def test_another_background_keeps_the_figure():
    one, two = clip(background=3), clip(background=4)
    np.testing.assert_array_equal(one.alpha, two.alpha)
    np.testing.assert_array_equal(one.foreground, two.foreground)
    assert not np.array_equal(one.background, two.background)
    swapped = composite(one.foreground, one.alpha, two.background)
    np.testing.assert_array_equal(swapped, two.frames)


@given(SEEDS, SEEDS, SEEDS)
@settings(max_examples=6)
def test_another_figure_keeps_the_joint_angles(one, two, motion):
    angles = [bone_angles(clip(figure, motion, frames=12, size=32).joints) for figure in (one, two)]
    gap = np.angle(np.exp(1j * (angles[0] - angles[1])))
    assert np.abs(gap).max() < 1e-3


def test_another_figure_looks_different():
    one, two = clip(figure=1), clip(figure=5)
    np.testing.assert_array_equal(one.background, two.background)
    assert np.abs(one.alpha.astype(int) - two.alpha).mean() > 5


@given(SEEDS)
def test_longer_clips_begin_alike(seed):
    short, long = (make_motion(seed, frames, 25.0) for frames in (20, 150))
    for name, value in short.channels.items():
        np.testing.assert_allclose(value, long.channels[name][:20], atol=1e-9)


@given(SEEDS)
def test_angles_stay_within_their_limits(seed):
    for name, value in make_motion(seed, 60, 25.0).channels.items():
        low, high = LIMITS[name.split("_")[0]]
        assert value.min() >= low
        assert value.max() <= high


@given(SEEDS, SEEDS)
@settings(max_examples=12)
def test_figure_is_large_and_inside_the_frame(figure, motion):
    alpha = clip(figure, motion, frames=16, fps=8.0, size=64).alpha.max(axis=0)
    assert not alpha[[0, -1]].any()
    assert not alpha[:, [0, -1]].any()
    rows = np.flatnonzero(alpha.any(axis=1))
    assert np.ptp(rows) > 0.5 * 64


@given(SEEDS, SEEDS)
@settings(max_examples=40)
def test_motion_is_wide_and_smooth(figure, motion):
    body = make_figure(figure).body
    joints = pose_joints(body, make_motion(motion, frames=50, fps=25.0))  # of the figure's height
    span = np.ptp(joints, axis=0).max(axis=-1)
    hands = [JOINTS.index(f"{side}_hand") for side in "lr"]
    assert span.mean() > 0.12
    assert span[hands].max() > 0.25
    speed = np.diff(joints, axis=0)
    assert np.abs(speed).max() < 0.2
    assert np.abs(np.diff(speed, axis=0)).max() < 0.08


@given(SEEDS)
@settings(max_examples=15)
def test_backgrounds_have_texture(seed):
    picture = render_background(seed, 64)
    assert picture.shape == (64, 64, 3)
    assert picture.std() > 6


def test_background_is_the_same_scene_at_another_size():
    small, large = render_background(3, 64).astype(float), render_background(3, 128)
    reduced = large.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - reduced).mean() < 6


@pytest.mark.parametrize("options", [{"frames": 0}, {"size": 8}, {"fps": 0.0}])
def test_impossible_clips_are_refused(options):
    with pytest.raises(ConfigError, match="need"):
        clip(**options)


def test_dataset_layout(tmp_path: Path):
    seen = []
    puppets.write_dataset(
        tmp_path,
        clips=4,
        test_clips=2,
        seed=9,
        size=33,
        frames=6,
        clips_per_identity=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    names = {"fig00000#000", "fig00000#001", "fig00001#000", "fig00001#001"}
    assert {path.stem for path in (tmp_path / "train").glob("*.mp4")} == names
    assert {path.stem for path in (tmp_path / "test").glob("*.mp4")} == set(sorted(names)[:2])
    assert seen == [(i, 6) for i in range(1, 7)]
    entries = json.loads((tmp_path / "manifest.json").read_text())["clips"]
    for part in ("figure_seed", "motion_seed", "background_seed"):
        split = {s: {e[part] for e in entries if e["split"] == s} for s in ("train", "test")}
        assert not split["train"] & split["test"]
    assert len({e["figure_seed"] for e in entries if e["split"] == "train"}) == 2
    assert len({e["motion_seed"] for e in entries}) == 6


def test_dataset_clips_can_be_rendered_again(tmp_path: Path):
    puppets.write_dataset(tmp_path, clips=0, test_clips=1, seed=3, size=64, frames=5)
    (entry,) = json.loads((tmp_path / "manifest.json").read_text())["clips"]
    seeds = {name: value for name, value in entry.items() if name.endswith("_seed")}
    truth = render_clip(**seeds, frames=5, size=64)
    stored = np.load(tmp_path / "test_alpha" / f"{entry['name']}.npz")["alpha"]
    np.testing.assert_array_equal(stored, truth.alpha)
    with open_video(tmp_path / "test" / f"{entry['name']}.mp4") as video:
        frames = np.stack([frame.image for frame in video])
    assert frames.shape == truth.frames.shape
    assert np.abs(frames.astype(int) - truth.frames).mean() < 8
