"""Writing videos of every kind: pictures, times, alpha, and what is left on the disk."""

import gc
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image
from tests.media.clips import HEIGHT, WIDTH, growing_alpha, moving, psnr, write_clip

from maskmotion.errors import MediaError, ShapeError
from maskmotion.media import Frame, kinds, open_video, open_writer

FPS = Fraction(25)
KINDS = ["a.mp4", "a.mov", "a.mkv", "a.webm", "a.gif", "a.webp", "a.png", "folder", "with.dot/"]
ALPHA_KINDS = ["a.mov", "a.webm", "a.gif", "a.webp", "a.png", "folder"]


def write(path: Path | str, images: list[np.ndarray], times_s=None, fps=FPS, **how) -> None:
    height, width = images[0].shape[:2]
    with open_writer(path, width=width, height=height, fps=fps, **how) as writer:
        for index, image in enumerate(images):
            alpha = growing_alpha(index, height, width) if how.get("alpha") else None
            writer.write(image, alpha, None if times_s is None else times_s[index])


def read(path: Path | str) -> list[Frame]:
    with open_video(path) as video:
        return list(video)


@pytest.mark.parametrize("name", KINDS)
def test_round_trip(tmp_path: Path, name: str) -> None:
    images = moving(8)
    write(f"{tmp_path}/{name}", images)
    frames = read(tmp_path / name)
    assert len(frames) == 8
    for index, (frame, image) in enumerate(zip(frames, images, strict=True)):
        assert psnr(frame.image, image) > 26
        assert frame.alpha is None
        assert frame.time_s == pytest.approx(index / 25, abs=1e-3)
        assert frame.duration_s == pytest.approx(1 / 25, abs=1e-3)
    assert [entry.name for entry in tmp_path.iterdir()] == [name.rstrip("/")]


@pytest.mark.parametrize("name", ["a.png", "folder"])
def test_png_loses_nothing(tmp_path: Path, name: str) -> None:
    images = moving(4)
    write(tmp_path / name, images)
    for frame, image in zip(read(tmp_path / name), images, strict=True):
        np.testing.assert_array_equal(frame.image, image)


@pytest.mark.parametrize("name", ALPHA_KINDS)
def test_alpha_round_trip(tmp_path: Path, name: str) -> None:
    images = moving(6)
    write(tmp_path / name, images, alpha=True)
    frames = read(tmp_path / name)
    assert len(frames) == 6
    for index, (frame, image) in enumerate(zip(frames, images, strict=True)):
        truth = growing_alpha(index)
        assert frame.alpha is not None
        assert psnr(frame.alpha, truth) > 35
        inside = growing_alpha(index - 1) > 0  # off the edge, where colours are blended
        assert psnr(frame.image[inside], image[inside]) > 24


@pytest.mark.parametrize("name", ["a.mov", "a.webm", "a.webp", "a.png", "folder"])
def test_soft_alpha(tmp_path: Path, name: str) -> None:
    ramp = np.linspace(0, 255, WIDTH).round().astype(np.uint8)[None].repeat(HEIGHT, 0)
    with open_writer(tmp_path / name, width=WIDTH, height=HEIGHT, fps=FPS, alpha=True) as writer:
        for image in moving(3):
            writer.write(image, ramp)
    for frame in read(tmp_path / name):
        assert np.abs(frame.alpha.astype(int) - ramp).max() <= 6


def test_without_alpha_a_frame_is_opaque(tmp_path: Path) -> None:
    with open_writer(tmp_path / "a.png", width=WIDTH, height=HEIGHT, fps=FPS, alpha=True) as out:
        first, second = moving(2)
        out.write(first, growing_alpha(0))
        out.write(second)
    assert read(tmp_path / "a.png")[1].alpha.min() == 255


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_animations_loop_for_ever(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, moving(3))
    with Image.open(tmp_path / name) as picture:
        assert picture.n_frames == 3
        assert picture.info["loop"] == 0


@pytest.mark.parametrize("colour", [(200, 40, 40), (40, 180, 60), (50, 60, 210), (250, 250, 250)])
@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.webp", "a.gif"])
def test_colours(tmp_path: Path, name: str, colour: tuple[int, int, int]) -> None:
    image = np.full((HEIGHT, WIDTH, 3), colour, np.uint8)
    write(tmp_path / name, [image, 255 - image])
    assert np.abs(read(tmp_path / name)[0].image.astype(int) - colour).max() <= 4


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm"])
def test_colours_are_tagged(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, moving(2))
    with av.open(str(tmp_path / name)) as container:
        frame = next(container.decode(video=0))
        assert frame.format.name == "yuv420p"
        assert (frame.colorspace, frame.color_range) == (1, 1)
        if name != "a.webm":
            assert (frame.color_primaries, frame.color_trc) == (1, 1)


def test_mp4_starts_fast(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", moving(3))
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


VFR_S = [0.0, 0.04, 0.12, 0.2, 0.24, 0.34, 0.94, 1.0]


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm", "a.gif", "a.webp", "a.png"])
def test_variable_times_are_kept(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, moving(8), times_s=VFR_S)
    frames = read(tmp_path / name)
    tolerance = 5e-3 if name == "a.gif" else 1e-3
    assert [frame.time_s for frame in frames] == pytest.approx(VFR_S, abs=tolerance)
    last = frames[-1]
    assert last.time_s + last.duration_s == pytest.approx(1.04, abs=1 / 8)  # one mean frame


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.webp", "a.png", "a.gif"])
@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(30), Fraction(60)])
def test_durations(tmp_path: Path, name: str, fps: Fraction) -> None:
    frame_s = float(1 / fps)
    write(tmp_path / name, moving(10), fps=fps)
    frames = read(tmp_path / name)
    assert frames[-1].time_s + frames[-1].duration_s == pytest.approx(10 * frame_s, abs=frame_s)
    with open_video(tmp_path / name) as video:
        assert video.info.duration_s == pytest.approx(10 * frame_s, abs=frame_s)
        if name == "a.mp4":
            assert video.info.fps == fps


@pytest.mark.parametrize(
    ("name", "alpha"),
    [(name, False) for name in KINDS[:7]] + [(name, True) for name in ALPHA_KINDS[:5]],
)
def test_a_long_last_frame_is_kept(tmp_path: Path, name: str, alpha: bool) -> None:
    pictures = [Image.fromarray(image) for image in moving(3)]
    gif = tmp_path / "driving.gif"
    pictures[0].save(gif, save_all=True, append_images=pictures[1:], duration=[100, 100, 2000])
    with (
        open_video(gif) as video,
        open_writer(
            tmp_path / name, width=WIDTH, height=HEIGHT, fps=video.info.fps, alpha=alpha
        ) as writer,
    ):
        for frame in video:
            writer.write(frame.image, None, frame.time_s, frame.duration_s)
    assert [frame.duration_s for frame in read(tmp_path / name)] == pytest.approx(
        [0.1, 0.1, 2.0], abs=2e-3
    )
    with open_video(tmp_path / name) as video:
        assert video.info.duration_s == pytest.approx(2.2, abs=2e-3)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm"])
@pytest.mark.parametrize("count", [1, 2, 4, 5, 8, 13])
def test_the_last_frame_is_the_last_in_decoding_order(
    tmp_path: Path, name: str, count: int
) -> None:
    with open_writer(tmp_path / name, width=WIDTH, height=HEIGHT, fps=FPS) as writer:
        for index, image in enumerate(moving(count)):
            writer.write(image, duration_s=0.5 if index == count - 1 else None)
    frames = read(tmp_path / name)
    assert [frame.duration_s for frame in frames[:-1]] == pytest.approx([0.04] * (count - 1))
    assert frames[-1].duration_s == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["a.mp4", "a.webp", "a.png"])
def test_the_next_frame_begins_where_the_last_one_ends(tmp_path: Path, name: str) -> None:
    first, second = moving(2)
    with open_writer(tmp_path / name, width=WIDTH, height=HEIGHT, fps=FPS) as writer:
        writer.write(first, time_s=1.0, duration_s=0.3)
        writer.write(second)
    frames = read(tmp_path / name)
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.3], abs=1e-3)
    assert frames[-1].duration_s == pytest.approx(0.04, abs=1e-3)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
@pytest.mark.parametrize("last_s", [0.02, 70.0])
def test_repeated_pictures_and_any_length(tmp_path: Path, name: str, last_s: float) -> None:
    with open_writer(tmp_path / name, width=WIDTH, height=HEIGHT, fps=FPS) as writer:
        for index in (0, 1, 1, 1):
            writer.write(moving(2)[index], duration_s=last_s if index else 0.1)
    frames = read(tmp_path / name)
    end_s = frames[-1].time_s + frames[-1].duration_s
    assert end_s == pytest.approx(0.1 + 3 * last_s, abs=2e-3)


def test_gif_frames_are_never_too_short_for_browsers(tmp_path: Path) -> None:
    write(tmp_path / "a.gif", moving(30), fps=Fraction(60))
    with Image.open(tmp_path / "a.gif") as picture:
        durations = []
        for index in range(picture.n_frames):
            picture.seek(index)
            durations.append(picture.info["duration"])
    assert min(durations) >= 20
    assert sum(durations) == pytest.approx(500, abs=20)


@settings(max_examples=12)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["a.mp4", "a.webm", "a.mov"]))
def test_odd_sizes_are_padded_not_scaled(tmp_path_factory, height, width, name) -> None:
    path = tmp_path_factory.mktemp("odd") / name
    rng = np.random.default_rng(height * 100 + width)
    coarse = rng.integers(0, 255, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    image = coarse.repeat(8, 0).repeat(8, 1)[:height, :width]
    write(path, [image] * 2, alpha=name == "a.mov")
    frame = read(path)[0].image
    if name == "a.mov":
        assert frame.shape == image.shape
    else:
        assert frame.shape == (height + height % 2, width + width % 2, 3)
    assert psnr(frame[:height, :width], image) > 18


def test_memory_stays_flat(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)

    def peak(name: str, count: int) -> int:
        gc.collect()
        tracemalloc.start()
        with open_writer(tmp_path / name, width=64, height=64, fps=FPS) as writer:
            for index in range(count):
                writer.write(np.roll(image, index, 0))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    for name in ("a.mp4", "a.gif", "a.webp", "a.png", "folder"):
        peak(name, 2)  # imports and caches
        assert peak(name, 60) < peak(name, 10) + 3 * image.nbytes, name


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.webp", "a.png", "folder"])
def test_an_exception_leaves_nothing(tmp_path: Path, name: str) -> None:
    image = moving(1)[0]
    with (  # noqa: PT012
        pytest.raises(KeyboardInterrupt),
        open_writer(tmp_path / name, width=WIDTH, height=HEIGHT, fps=FPS) as writer,
    ):
        for _ in range(100):
            writer.write(image)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "folder"])
def test_an_exception_leaves_the_old_video(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, moving(3))
    before = [frame.image for frame in read(tmp_path / name)]
    with (  # noqa: PT012
        pytest.raises(RuntimeError),
        open_writer(tmp_path / name, width=WIDTH, height=HEIGHT, fps=FPS) as writer,
    ):
        writer.write(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        raise RuntimeError
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    np.testing.assert_array_equal([frame.image for frame in read(tmp_path / name)], before)


@pytest.mark.parametrize("name", ["a.mp4", "a.png", "folder"])
def test_success_replaces_the_old_video(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, moving(9))
    write(tmp_path / name, moving(4))
    assert len(read(tmp_path / name)) == 4
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.mp4", "a.webp", "folder"])
def test_no_frames(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(MediaError, match=f"{name} is not written, for it got no frames"),
        open_writer(tmp_path / name, width=WIDTH, height=HEIGHT, fps=FPS),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", KINDS)
def test_one_frame(tmp_path: Path, name: str) -> None:
    write(f"{tmp_path}/{name}", moving(1))
    assert [entry.name for entry in tmp_path.iterdir()] == [name.rstrip("/")]


def test_folders_are_made_and_permissions_are_usual(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.mp4"
    write(path, moving(2))
    (tmp_path / "usual").touch()
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "wedding.png").write_text("dear")
    with pytest.raises(MediaError, match="holds other things than numbered frames"):
        open_writer(tmp_path / "photos", width=8, height=8, fps=FPS)
    assert (tmp_path / "photos" / "wedding.png").read_text() == "dear"


@pytest.mark.parametrize(
    ("name", "alpha", "says"),
    [
        (
            "a.xyz",
            False,
            "has the unknown ending .xyz; use .mp4, .mov, .mkv, .webm, .gif, .webp or .png, "
            "or none for a folder of frames.",
        ),
        ("a.mp4", True, "cannot keep transparency; use .mov, .webm, .gif, .webp or .png, or no "),
        ("a.mkv", True, "cannot keep transparency; use .mov, .webm, .gif, .webp or .png, or no "),
        ("taken.mp4", False, "is a folder; choose another name for the video."),
        ("file", False, "is a file; choose another name for the folder of frames."),
        ("file/a.mp4", False, "cannot be written (File exists); choose another place."),
    ],
)
def test_bad_paths(tmp_path: Path, name: str, alpha: bool, says: str) -> None:
    (tmp_path / "taken.mp4").mkdir()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MediaError) as caught:
        open_writer(tmp_path / name, width=8, height=8, fps=FPS, alpha=alpha)
    assert str(caught.value).startswith(f"{tmp_path / name} {says}")


def test_unfitting_frames(tmp_path: Path) -> None:
    image = moving(1)[0]
    with (
        pytest.raises(ShapeError, match=r"expected \(32, 48, 3\), got \(32, 46, 3\)"),
        open_writer(tmp_path / "a.mp4", width=WIDTH, height=HEIGHT, fps=FPS) as writer,
    ):
        writer.write(image[:, :-2])
    with (  # noqa: PT012
        pytest.raises(MediaError, match=r"a frame at 0\.500 s cannot follow one at 0\.500 s"),
        open_writer(tmp_path / "a.mp4", width=WIDTH, height=HEIGHT, fps=FPS) as writer,
    ):
        writer.write(image, time_s=0.5)
        writer.write(image, time_s=0.5)
    with (
        pytest.raises(MediaError, match=r"a frame cannot be shown for 0 s"),
        open_writer(tmp_path / "a.mp4", width=WIDTH, height=HEIGHT, fps=FPS) as writer,
    ):
        writer.write(image, duration_s=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("encoder", ["mpeg4", "none"])
def test_without_x264(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: str) -> None:
    monkeypatch.setattr(kinds, "has_codec", lambda name, mode: name == encoder)
    if encoder == "none":
        with pytest.raises(MediaError, match="needs FFmpeg with libx264 or libopenh264 or mpeg4"):
            write(tmp_path / "a.mp4", moving(4))
        return
    write(tmp_path / "a.mp4", moving(4), times_s=VFR_S[:4])
    frames = read(tmp_path / "a.mp4")
    assert [frame.time_s for frame in frames] == pytest.approx(VFR_S[:4], abs=1e-3)
    assert psnr(frames[0].image, moving(1)[0]) > 25


def test_a_video_can_replace_the_clip_its_sound_is_from(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", moving(3))
    write(path, moving(5), audio_from=path)
    assert len(read(path)) == 5
