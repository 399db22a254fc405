"""The driving clip's sound in the written video: same bytes or a new encoding, in step."""

from fractions import Fraction
from pathlib import Path

import av
import pytest
from tests.media.clips import (
    HEIGHT,
    WIDTH,
    audio_packets,
    loudest_s,
    moving,
    without_first_pictures,
    write_clip,
    write_sound,
)

from maskmotion.errors import MediaError
from maskmotion.media import open_video, open_writer


def write(path: Path, audio_from: Path, seconds: float = 1.0, fps: int = 25, **how) -> Path:
    with open_writer(
        path, width=WIDTH, height=HEIGHT, fps=Fraction(fps), audio_from=audio_from, **how
    ) as writer:
        for image in moving(round(seconds * fps)):
            writer.write(image)
    return path


def sound_of(path: Path) -> tuple[str, float, float]:
    """Codec, start and end in seconds after the first picture."""
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        picture_s = float((video.start_time or 0) * video.time_base)
        frames = list(container.decode(audio=0))
        end_s = frames[-1].time + frames[-1].samples / frames[-1].sample_rate
        return audio.codec.canonical_name, frames[0].time - picture_s, end_s - picture_s


@pytest.mark.parametrize(
    ("source", "codec", "target"),
    [
        ("clip.mp4", "aac", "out.mp4"),
        ("clip.mp4", "aac", "out.mov"),
        ("clip.mp4", "aac", "out.mkv"),
        ("clip.mkv", "libmp3lame", "out.mp4"),
        ("clip.mkv", "ac3", "out.mov"),
        ("clip.mkv", "libopus", "out.webm"),
        ("clip.mkv", "libopus", "out.mkv"),
        ("clip.mkv", "flac", "out.mkv"),
        ("clip.mov", "alac", "out.mp4"),
    ],
)
def test_packets_are_copied(tmp_path: Path, source: str, codec: str, target: str) -> None:
    clip = write_sound(tmp_path / source, codec=codec)
    before, after = audio_packets(clip), audio_packets(write(tmp_path / target, clip))
    assert after == before[: len(after)]
    assert len(before) - len(after) <= 2  # what lies past the last picture
    name, start_s, end_s = sound_of(tmp_path / target)
    assert name == sound_of(clip)[0]
    assert start_s == pytest.approx(sound_of(clip)[1], abs=0.025)  # AAC begins silent
    assert end_s == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize(
    ("source", "codec", "target", "encoded"),
    [
        ("clip.mkv", "flac", "out.mp4", "aac"),
        ("clip.mkv", "libopus", "out.mp4", "aac"),
        ("clip.mov", "pcm_s16le", "out.mov", "aac"),
        ("clip.mp4", "aac", "out.webm", "opus"),
    ],
)
def test_other_codecs_are_encoded(
    tmp_path: Path, source: str, codec: str, target: str, encoded: str
) -> None:
    clip = write_sound(tmp_path / source, codec=codec, click_s=0.5)
    name, start_s, end_s = sound_of(write(tmp_path / target, clip))
    assert name == encoded
    assert start_s == pytest.approx(0, abs=0.05)
    assert end_s == pytest.approx(1.0, abs=0.06)
    assert loudest_s(tmp_path / target) == pytest.approx(loudest_s(clip), abs=0.015)


def test_aac_of_a_transport_stream_gets_its_header(tmp_path: Path) -> None:
    clip = write_sound(tmp_path / "clip.ts", codec="aac", click_s=0.5)
    written = write(tmp_path / "out.mp4", clip)
    with av.open(str(clip)) as container:
        began_s = float(
            container.streams.video[0].start_time * container.streams.video[0].time_base
        )
    assert loudest_s(written) == pytest.approx(loudest_s(clip) - began_s, abs=0.015)


@pytest.mark.parametrize("target", ["out.mp4", "out.mkv", "out.webm"])
@pytest.mark.parametrize(("sound_from_s", "picture_from_s"), [(0.0, 0.4), (0.4, 0.0)])
def test_sound_and_picture_stay_in_step(
    tmp_path: Path, target: str, sound_from_s: float, picture_from_s: float
) -> None:
    clip = write_sound(
        tmp_path / "clip.mkv",
        codec="aac",
        seconds=1.2,
        sound_from_s=sound_from_s,
        picture_from_s=picture_from_s,
        click_s=0.8,
    )
    written = write(tmp_path / target, clip)
    with av.open(str(written)) as container:
        video = container.streams.video[0]
        picture_s = float((video.start_time or 0) * video.time_base)
    heard_s = loudest_s(written) - picture_s
    assert sound_of(written)[1] > -0.06  # what was heard before the first picture is left out
    assert heard_s == pytest.approx(0.8 - picture_from_s, abs=0.03)


@pytest.mark.parametrize("cut", ["cut.mkv", "cut.ts"])
@pytest.mark.parametrize("target", ["out.mp4", "out.webm"])
def test_sound_is_in_step_with_the_first_picture_that_can_be_decoded(
    tmp_path: Path, cut: str, target: str
) -> None:
    clip = write_sound(tmp_path / "clip.mkv", codec="aac", click_s=0.8, keyframe_every=10)
    clip = without_first_pictures(clip, tmp_path / cut, 5)
    with open_video(clip) as video:
        assert sum(1 for _ in video) == 15  # the second keyframe is picture 10
    written = write(tmp_path / target, clip, 0.6)
    assert loudest_s(written) == pytest.approx(0.8 - 0.4, abs=0.03)


@pytest.mark.parametrize(("written_s", "limit_s", "ends_s"), [(0.4, None, 0.4), (1.0, 0.6, 0.6)])
@pytest.mark.parametrize("target", ["out.mp4", "out.webm"])
def test_sound_ends_with_the_picture(
    tmp_path: Path, target: str, written_s: float, limit_s: float | None, ends_s: float
) -> None:
    clip = write_sound(tmp_path / "clip.mp4", codec="aac")
    written = write(tmp_path / target, clip, written_s, fps=5, max_duration_s=limit_s)
    assert sound_of(written)[2] == pytest.approx(ends_s, abs=0.05)
    with open_video(written) as video:
        assert video.info.duration_s == pytest.approx(written_s, abs=0.05)


def test_a_sound_file_alone_will_do(tmp_path: Path) -> None:
    song = write_sound(tmp_path / "song.m4a", codec="aac", video=False)
    assert audio_packets(write(tmp_path / "out.mp4", song))[:20] == audio_packets(song)[:20]


def test_silent_clips_and_silent_kinds(tmp_path: Path) -> None:
    silent = write_clip(tmp_path / "silent.mp4", moving(3))
    loud = write_sound(tmp_path / "loud.mp4", codec="aac", seconds=0.2)
    write(tmp_path / "frames", loud, 0.2)
    write(tmp_path / "a.gif", loud, 0.2)
    for source in (silent, tmp_path / "frames", tmp_path / "a.gif"):
        with open_video(write(tmp_path / "out.mp4", source, 0.2)) as video:
            assert not video.info.has_audio


def test_sound_that_is_cut_off_ends_there(tmp_path: Path) -> None:
    clip = write_sound(tmp_path / "clip.mkv", codec="aac")
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) // 2])
    with open_video(write(tmp_path / "out.mp4", clip)) as video:
        assert video.info.has_audio
        assert sum(1 for _ in video) == 25


def test_a_missing_clip_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="so its sound cannot be taken"):
        write(tmp_path / "out.mp4", tmp_path / "missing.mp4")
    assert list(tmp_path.iterdir()) == []


def test_streams_are_interleaved(tmp_path: Path) -> None:
    clip = write_sound(tmp_path / "clip.mp4", codec="aac", seconds=3.0)
    written = write(tmp_path / "out.mkv", clip, 3.0)
    with av.open(str(written)) as container:
        kinds = [packet.stream.type for packet in container.demux() if packet.size]
    longest = max(len(run) for run in "".join(kind[0] for kind in kinds).split("v"))
    assert longest <= 6
