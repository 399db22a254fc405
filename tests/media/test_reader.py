"""Reading video files: sizes, times, turns, colours, alpha, and damage."""

import gc
import itertools
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image
from tests.media.clips import (
    HEIGHT,
    WIDTH,
    corners,
    growing_alpha,
    moving,
    psnr,
    write_clip,
    write_sound,
)

from maskmotion.errors import MediaError
from maskmotion.media import Frame, is_video, on_white, open_video
from maskmotion.media.fit import Square, cut

PQ, HLG = 16, 18


def read_all(path: Path) -> list[Frame]:
    with open_video(path) as video:
        return list(video)


def test_info_and_frames_of_a_plain_clip(tmp_path: Path) -> None:
    images = moving(8)
    path = write_clip(tmp_path / "plain.mp4", images)
    with open_video(path) as video:
        assert (video.info.width, video.info.height) == (WIDTH, HEIGHT)
        assert video.info.fps == 25
        assert video.info.frames == 8
        assert video.info.duration_s == pytest.approx(8 / 25)
        assert not video.info.has_audio
        assert not video.info.has_alpha
        frames = list(video)
    assert [frame.time_s for frame in frames] == pytest.approx([i / 25 for i in range(8)])
    assert [frame.duration_s for frame in frames] == pytest.approx([1 / 25] * 8)
    for frame, image in zip(frames, images, strict=True):
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
        assert frame.alpha is None
        assert psnr(frame.image, image) > 27


def test_no_frame_is_lost_behind_a_long_decoder_delay(tmp_path: Path) -> None:
    options = {"bf": "4", "b-pyramid": "normal", "refs": "6", "preset": "medium"}
    path = write_clip(tmp_path / "b-frames.mp4", moving(23), options=options)
    assert len(read_all(path)) == 23


@pytest.mark.parametrize(
    ("ending", "codec"),
    [
        ("mp4", "libx264"),
        ("mov", "libx264"),
        ("mkv", "libx264"),
        ("ts", "libx264"),
        ("webm", "libvpx-vp9"),
        ("avi", "mpeg4"),
        ("mpg", "mpeg2video"),
    ],
)
def test_containers(tmp_path: Path, ending: str, codec: str) -> None:
    images = moving(5)
    options = {} if codec.startswith("mpeg") else {"crf": "4"}
    path = write_clip(
        tmp_path / f"clip.{ending}", images, codec=codec, options=options, tick_s=Fraction(1, 25)
    )
    frames = read_all(path)
    assert len(frames) == 5
    assert [f.time_s for f in frames] == pytest.approx([i / 25 for i in range(5)], abs=2e-3)
    assert min(psnr(f.image, image) for f, image in zip(frames, images, strict=True)) > 25


def test_each_iteration_starts_again(tmp_path: Path) -> None:
    with open_video(write_clip(tmp_path / "loop.mp4", moving(4))) as video:
        first = [frame.image for frame in video]
        begun = iter(video)
        next(begun)
        again = [frame.image for frame in video]
        rest = list(begun)
    assert len(rest) == 3
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_closing_ends_running_iterations(tmp_path: Path) -> None:
    with open_video(write_clip(tmp_path / "clip.mp4", moving(4))) as video:
        begun = iter(video)
        next(begun)
    assert list(begun) == []


def test_variable_frame_times_are_kept(tmp_path: Path) -> None:
    times_s = [0.0, 0.04, 0.12, 0.2, 0.24, 0.94, 0.95, 1.1]
    path = write_clip(tmp_path / "vfr.mp4", moving(8), times_s=times_s)
    frames = read_all(path)
    assert [frame.time_s for frame in frames] == pytest.approx(times_s, abs=1e-4)
    gaps = [b - a for a, b in itertools.pairwise(times_s)]
    assert [frame.duration_s for frame in frames[:-1]] == pytest.approx(gaps, abs=1e-4)


def test_times_start_at_zero_where_the_container_does_not(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "late.mkv", moving(3), times_s=[5.0, 5.04, 5.08])
    assert [f.time_s for f in read_all(path)] == pytest.approx([0, 0.04, 0.08], abs=2e-3)


def test_a_bare_stream_without_times_gets_its_rate(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "bare.h264", moving(6), options={"bf": "0"})
    frames = read_all(path)
    assert len(frames) == 6
    assert [f.time_s for f in frames] == pytest.approx([i / 25 for i in range(6)])


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation(tmp_path: Path, degrees: int) -> None:
    path = write_clip(tmp_path / "turned.mp4", [corners()] * 2, rotation=degrees)
    upright = np.rot90(corners(), -degrees // 90)  # numpy turns counterclockwise
    with open_video(path) as video:
        assert (video.info.height, video.info.width) == upright.shape[:2]
        for frame in video:
            assert frame.image.shape == upright.shape
            assert psnr(frame.image, upright) > 25


def test_a_mirrored_clip_is_mirrored_back(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "selfie.mp4", [corners()] * 2, rotation=-1)
    assert psnr(read_all(path)[0].image, corners()[:, ::-1]) > 25


def test_oblong_pixels_become_square(tmp_path: Path) -> None:
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, width=WIDTH, height=HEIGHT)
        stream.pix_fmt = "yuv420p"
        stream.sample_aspect_ratio = Fraction(4, 3)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(corners(), format="rgb24")))
        container.mux(stream.encode(None))
    with open_video(path) as video:
        assert (video.info.width, video.info.height) == (WIDTH * 4 // 3, HEIGHT)
        frame = next(iter(video))
    assert psnr(frame.image, corners(HEIGHT, WIDTH * 4 // 3)) > 22


def waves(height: int, width: int) -> np.ndarray:
    """A picture of slow waves, the same at every size."""
    y, x = np.mgrid[0:height, 0:width]
    y, x = (y + 0.5) / height, (x + 0.5) / width
    shades = [np.sin(4 * x + 3 * y), np.cos(5 * x), np.sin(6 * y - 2 * x)]
    return np.rint(127.5 + 90 * np.stack(shades, -1)).astype(np.uint8)


def reduced_all(path: Path, factor: int) -> list[Frame]:
    with open_video(path) as video:
        return list(video.reduced(factor))


@pytest.mark.parametrize("factor", [2, 3, 5, 8])
@pytest.mark.parametrize("rotation", [None, 90, 180, -1])
def test_reduced_pictures_show_the_same(factor: int, rotation: int | None, tmp_path: Path) -> None:
    """Where they show it, to a fifth of a pixel: the shift of another one is seen."""
    path = write_clip(tmp_path / "a.mp4", [waves(180, 320)] * 2, rotation=rotation)
    whole = read_all(path)[0].image
    height, width = whole.shape[:2]
    wanted = waves(round(180 / factor), round(320 / factor))
    turned = {None: wanted, 90: np.rot90(wanted, -1), 180: wanted[::-1, ::-1], -1: wanted[:, ::-1]}
    wanted = turned[rotation].astype(int)
    for frame in reduced_all(path, factor):
        assert frame.image.shape == (round(height / factor), round(width / factor), 3)
        assert frame.image.flags.c_contiguous
        apart = np.abs(frame.image - wanted)[1:-1, 1:-1]
        steps = np.abs(np.diff(wanted, axis=1)).max(), np.abs(np.diff(wanted, axis=0)).max()
        assert apart.max() <= 3 + 0.2 * max(steps)
        assert apart.mean() < 1.5


def test_reduced_pictures_are_low_passed(tmp_path: Path) -> None:
    """Stripes of a pixel become grey, and do not come through as coarse ones."""
    stripes = np.full((96, 96, 3), 60, np.uint8)
    stripes[:, ::2] = 180
    path = write_clip(tmp_path / "a.mkv", [stripes] * 2, pixels="yuv444p")
    for factor in (3, 4, 6):
        inside = reduced_all(path, factor)[0].image[2:-2, 2:-2].astype(int)
        assert np.abs(inside - 120).max() <= 12


def test_reduced_times_are_the_same(tmp_path: Path) -> None:
    times = [0, 0.04, 0.3, 0.31, 0.5]
    path = write_clip(tmp_path / "a.mkv", moving(5), times_s=times, tick_s=Fraction(1, 1000))
    whole, reduced = read_all(path), reduced_all(path, 4)
    assert [(f.time_s, f.duration_s) for f in reduced] == [(f.time_s, f.duration_s) for f in whole]
    assert [frame.time_s for frame in reduced] == pytest.approx(times)


def test_a_factor_of_one_changes_nothing(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", moving(3))
    pairs = zip(read_all(path), reduced_all(path, 1), strict=True)
    assert all(np.array_equal(whole.image, reduced.image) for whole, reduced in pairs)


@pytest.mark.parametrize("factor", [30, 48, 1000])
def test_a_pixel_is_left_of_any_picture(factor: int, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [np.full((32, 48, 3), 120, np.uint8)] * 2)
    frame = reduced_all(path, factor)[0]
    assert frame.image.shape == (1, max(1, round(48 / factor)), 3)
    assert np.abs(frame.image.astype(int) - 120).max() <= 3


def test_what_is_no_video_file_is_read_whole(tmp_path: Path) -> None:
    """Folders, strips and animations: their pictures are whole however they are decoded."""
    pictures = [Image.fromarray(image) for image in moving(2, 32, 32)]
    (tmp_path / "folder").mkdir()
    for index, picture in enumerate(pictures):
        picture.save(tmp_path / "folder" / f"{index}.png")
    pictures[0].save(tmp_path / "a.png", save_all=True, append_images=pictures[1:])
    for path in (tmp_path / "folder", tmp_path / "a.png"):
        frames = reduced_all(path, 4)
        assert [frame.image.shape for frame in frames] == [(32, 32, 3)] * 2


def test_reduced_iterations_start_again_and_end_with_the_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", moving(4))
    with open_video(path) as video:
        first, second = video.reduced(2), video.reduced(3)
        assert next(first).image.shape == (16, 24, 3)
        assert next(second).image.shape == (11, 16, 3)
        assert next(iter(video)).image.shape == (32, 48, 3)
        assert [next(first).time_s, next(second).time_s] == pytest.approx([0.04, 0.04])
    assert list(first) == list(second) == []


def test_transparent_videos_are_read_whole(tmp_path: Path) -> None:
    """What is under transparency would come through at its edges: here black, around white."""
    disc = np.hypot(*(np.mgrid[0:96, 0:96] - 48)) < 30
    images = [np.repeat(disc[..., None] * np.uint8(255), 4, axis=2)] * 2
    path = write_clip(
        tmp_path / "a.mov", images, codec="prores_ks", pixels="yuva444p10le", options={}
    )
    for frame in reduced_all(path, 4):
        square = cut(on_white(frame.image, frame.alpha), Square(0, 0, 96), 12, (96, 96))
        assert square.min() > 240


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_high_dynamic_range_is_read_whole(tmp_path: Path, transfer: int) -> None:
    """Means of signals are not means of what is shown: dark or bright would win."""
    stripes = np.full((HEIGHT, 48, 3), 5000, np.uint16)
    stripes[:, ::2] = 40000
    path = hdr_clip(tmp_path / "hdr.mkv", stripes, transfer)
    whole = read_all(path)[0].image
    wanted = whole.reshape(HEIGHT, 12, 4, 3).mean((0, 2))
    reduced = reduced_all(path, 4)[0].image
    found = reduced.reshape(reduced.shape[0], 12, -1, 3).mean((0, 2))
    assert np.abs(found - wanted).max() <= 2


def flat(colour: tuple[int, int, int], height: int = HEIGHT) -> list[np.ndarray]:
    return [np.full((height, 64, 3), colour, np.uint8)] * 2


@pytest.mark.parametrize("colour", [(200, 40, 40), (40, 180, 60), (50, 60, 210), (128, 128, 128)])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("tag", ["bt709", "bt601", "untagged", "untagged-720"])
def test_colours(tmp_path: Path, colour: tuple[int, int, int], full_range: bool, tag: str) -> None:
    height = 720 if tag == "untagged-720" else HEIGHT
    is_709 = tag in ("bt709", "untagged-720")
    tags = {"color_range": int(ColorRange.JPEG if full_range else ColorRange.MPEG)}
    if not tag.startswith("untagged"):
        tags["colorspace"] = 1 if is_709 else 6
    path = write_clip(
        tmp_path / "colour.mp4",
        flat(colour, height),
        pixels="yuv444p",
        matrix=Colorspace.ITU709 if is_709 else Colorspace.ITU601,
        full_range=full_range,
        tags=tags,
    )
    image = read_all(path)[0].image
    assert np.abs(image.astype(int) - colour).max() <= 4


@pytest.mark.parametrize(
    ("codec", "pixels", "ending"),
    [("ffv1", "gray", "mkv"), ("libx264", "gray", "mp4"), ("png", "gray", "mov")],
)
def test_grey_keeps_black_and_white(tmp_path: Path, codec: str, pixels: str, ending: str) -> None:
    ramp = np.linspace(0, 255, 64).round().astype(np.uint8)
    image = np.broadcast_to(ramp[None, :, None], (HEIGHT, 64, 1)).copy()
    path = write_clip(
        tmp_path / f"grey.{ending}", [image] * 2, codec=codec, pixels=pixels, full_range=True,
        options={}, tags={"color_range": 2},
    )  # fmt: skip
    read = read_all(path)[0].image
    assert np.abs(read.astype(int) - image).max() <= 3


def test_ten_bits(tmp_path: Path) -> None:
    images = moving(3)
    path = write_clip(tmp_path / "deep.mp4", images, pixels="yuv420p10le")
    assert min(psnr(f.image, i) for f, i in zip(read_all(path), images, strict=True)) > 27


@pytest.mark.parametrize(
    ("codec", "pixels", "ending", "least"),
    [
        ("libvpx-vp9", "yuva420p", "webm", 25),
        ("libvpx", "yuva420p", "webm", 25),
        ("prores_ks", "yuva444p10le", "mov", 35),
        ("png", "rgba", "mov", 99),
        ("qtrle", "argb", "mov", 99),
        ("ffv1", "yuva420p", "mkv", 25),
    ],
)
def test_alpha(tmp_path: Path, codec: str, pixels: str, ending: str, least: float) -> None:
    rgba = [np.dstack([im, growing_alpha(i)]) for i, im in enumerate(moving(4))]
    options = {"auto-alt-ref": "0"} if codec == "libvpx" else {}
    path = write_clip(
        tmp_path / f"alpha.{ending}", rgba, codec=codec, pixels=pixels, options=options
    )
    with open_video(path) as video:
        assert video.info.has_alpha
        for frame, truth in zip(video, rgba, strict=True):
            assert frame.alpha is not None
            assert psnr(frame.alpha, truth[..., 3]) > 30
            seen = truth[..., 3] > 0
            assert psnr(frame.image[seen], truth[..., :3][seen]) > least - 5


def hdr_clip(path: Path, rgb16: np.ndarray, transfer: int) -> Path:
    return write_clip(
        path,
        [rgb16] * 2,
        codec="ffv1",
        pixels="yuv444p10le",
        options={},
        matrix=Colorspace.BT2020,
        tags={
            "colorspace": 9,
            "color_range": int(ColorRange.MPEG),
            "color_primaries": 9,
            "color_trc": transfer,
        },
    )


def hdr_signal(light_nits: np.ndarray, transfer: int) -> np.ndarray:
    """Light of a neutral colour on a 1,000-nit screen to a 16-bit signal, by the standards."""
    if transfer == PQ:
        power = (light_nits / 10000) ** 0.1593017578125
        signal = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    else:
        scene = (light_nits / 1000) ** (1 / 1.2)
        log = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        signal = np.where(scene <= 1 / 12, np.sqrt(3 * scene), log)
    return (signal * 65535).round().astype(np.uint16)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_high_dynamic_range_is_tone_mapped(tmp_path: Path, transfer: int) -> None:
    nits = np.array([0.5, 5, 20, 80, 150, 203, 400, 1000])
    ramp = np.repeat(hdr_signal(nits, transfer), 8)
    path = hdr_clip(tmp_path / "hdr.mkv", np.tile(ramp[None, :, None], (HEIGHT, 1, 3)), transfer)
    grey = read_all(path)[0].image[HEIGHT // 2, 4::8].astype(int)
    assert np.ptp(grey, axis=1).max() <= 2  # neutral stays neutral
    levels = grey.mean(axis=1)
    light = nits[:5] / 203
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(levels[:5], 255 * srgb, atol=3)  # linear below the shoulder
    assert (np.diff(levels) > 0).all()  # highlights stay apart
    assert 225 < levels[5] < 250  # diffuse white is nearly white
    assert levels[7] <= 255


def test_high_dynamic_range_primaries(tmp_path: Path) -> None:
    """BT.709 red at 100 nits, written in BT.2020 PQ, comes back red."""
    red_2020 = np.array([0.6274, 0.0691, 0.0164]) * 100
    image = np.broadcast_to(hdr_signal(red_2020, PQ), (HEIGHT, 64, 3)).copy()
    path = hdr_clip(tmp_path / "red.mkv", image, PQ)
    red, green, blue = read_all(path)[0].image[5, 5].astype(int)
    assert abs(red - 186) <= 4  # sRGB of 100 / 203
    assert max(green, blue) <= 20


def test_memory_stays_flat(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "long.mp4", moving(120, 64, 96))

    def peak(count: int) -> int:
        gc.collect()
        tracemalloc.start()
        with open_video(path) as video:
            for _ in itertools.islice(video, count):
                pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2)  # imports and caches
    frame_bytes = 64 * 96 * 3
    assert peak(120) < peak(12) + 3 * frame_bytes


def test_audio_is_noticed(tmp_path: Path) -> None:
    with open_video(write_sound(tmp_path / "loud.mp4", codec="aac", seconds=0.2)) as video:
        assert video.info.has_audio


def damaged(path: Path, start: float, stop: float) -> Path:
    data = bytearray(path.read_bytes())
    part = slice(int(len(data) * start), int(len(data) * stop))
    data[part] = b"\xff" * len(data[part])
    path.write_bytes(bytes(data))
    return path


def test_damage_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "hurt.mp4", moving(30), options={"g": "5", "preset": "ultrafast"})
    frames = read_all(damaged(path, 0.45, 0.55))
    assert 10 < len(frames) <= 30


def test_a_file_that_is_cut_off_plays_to_the_cut(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "cut.mkv", moving(30))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    assert 5 < len(read_all(path)) < 30


def test_a_video_of_one_frame_is_read(tmp_path: Path) -> None:
    assert len(read_all(write_clip(tmp_path / "one.mp4", moving(1)))) == 1


def test_odd_sizes(tmp_path: Path) -> None:
    images = moving(3, 31, 47)
    path = write_clip(tmp_path / "odd.mkv", images, codec="ffv1", pixels="bgr0", options={})
    for frame, image in zip(read_all(path), images, strict=True):
        np.testing.assert_array_equal(frame.image, image)


def test_names_that_look_like_protocols(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "plain.mp4", moving(2)).rename(tmp_path / "12:30 #ü %d.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(read_all(Path("12:30 #ü %d.mp4"))) == 2


def test_tags_in_another_encoding_are_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "tagged.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Ein Fall: aeh"
        stream = container.add_stream("ffv1", rate=25, width=WIDTH, height=HEIGHT)
        for image in moving(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b"Fall: aeh", b"Fall: \xe4h "))
    assert len(read_all(path)) == 2


def missing(folder: Path) -> Path:
    return folder / "missing.mp4"


def empty(folder: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def text(folder: Path) -> Path:
    (folder / "text.mp4").write_text("not a video\n" * 50)
    return folder / "text.mp4"


def sound_only(folder: Path) -> Path:
    return write_sound(folder / "song.m4a", codec="aac", video=False)


def song_with_cover(folder: Path) -> Path:
    path = folder / "cover.mp4"
    write_sound(path, codec="aac", seconds=0.2)
    with av.open(str(path)) as source, av.open(str(folder / "cover.m4a"), "w", format="mp4") as out:
        sound = out.add_stream_from_template(source.streams.audio[0])
        cover = out.add_stream("mjpeg", rate=1, width=WIDTH, height=HEIGHT, pix_fmt="yuvj420p")
        cover.disposition = av.stream.Disposition.attached_pic
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = sound
                out.mux(packet)
        frame = av.VideoFrame.from_ndarray(corners(), format="rgb24")
        out.mux(cover.encode(frame))
        out.mux(cover.encode(None))
    return folder / "cover.m4a"


def without_index(folder: Path) -> Path:
    path = write_clip(folder / "moov.mp4", moving(8))
    path.write_bytes(path.read_bytes()[:1500])
    return path


def nothing_decodes(folder: Path) -> Path:
    return damaged(write_clip(folder / "noise.mkv", moving(8)), 0.25, 1.0)


def empty_folder(folder: Path) -> Path:
    (folder / "frames").mkdir()
    (folder / "frames" / "notes.txt").write_text("no pictures")
    return folder / "frames"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (missing, "does not exist; check the path."),
        (empty, "is empty (0 bytes); copy or download it again."),
        (text, "is not a video that can be read"),
        (sound_only, "has no video stream; choose a file with moving pictures."),
        (song_with_cover, "has no video stream; choose a file with moving pictures."),
        (without_index, "is not a video that can be read, or is cut off"),
        (nothing_decodes, "; convert it to .mp4 or download it again."),
        (empty_folder, "has no pictures in it; choose a folder of frames or a video."),
    ],
)
def test_bad_input_says_what_is_wrong(tmp_path: Path, make, says: str, capfd) -> None:
    path = make(tmp_path)
    with pytest.raises(MediaError) as caught:
        read_all(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert says in message
    assert message.endswith(".")
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")


def test_huge_pictures_are_refused(tmp_path: Path) -> None:
    image = np.zeros((2, 16400, 3), np.uint8)
    path = write_clip(tmp_path / "huge.mkv", [image], codec="ffv1", pixels="bgr0", options={})
    with pytest.raises(MediaError, match=r"16400x2 px, more than 16384 px on a side"):
        open_video(path)


def test_is_video(tmp_path: Path) -> None:
    assert is_video(write_clip(tmp_path / "clip.mp4", moving(2)))
    assert is_video(tmp_path)
    with pytest.raises(MediaError, match="does not exist"):
        is_video(tmp_path / "missing.png")


def test_real_clips(testdata: Path) -> None:
    clips = sorted((testdata / "clips" / "robot" / "test").glob("*.mp4"))[:2]
    assert clips
    for clip in clips:
        with open_video(clip) as video:
            times = [frame.time_s for frame in itertools.islice(video, 20)]
            assert times[0] == 0
            assert np.diff(times) == pytest.approx(float(1 / video.info.fps), rel=0.02)
