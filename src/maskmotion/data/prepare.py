"""Raw footage becomes square training clips of what moves in it.

Footage is decoded twice: as thumbnails, to find its scenes and where they move, and then to cut
the pieces out. No more than a few dozen frames are held at a time, and where the footage has a true
alpha, that of one piece.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from maskmotion.data.clips import TRUTH, Clip, alpha_place
from maskmotion.data.manifest import (
    TOO_SHORT,
    Box,
    Manifest,
    Piece,
    Settings,
    Source,
    footage_key,
    footage_state,
    names_of,
    open_manifest,
    save_manifest,
    with_splits,
)
from maskmotion.data.preview_page import SHOWN_FRAMES, save_strip, strip, write_page
from maskmotion.data.scenes import Spread, centre_square, judge_motion, mark_cuts, thumbnail
from maskmotion.data.store import require_same_length, require_same_size
from maskmotion.errors import DataError, InputError, MediaError
from maskmotion.media import PICTURE_ENDINGS, VIDEO_ENDINGS, VideoInfo, on_white, open_video
from maskmotion.media.clip_writer import open_clip_writer
from maskmotion.media.lossless import save_lossless

SEEN_SHARE = 0.04  # of the frames in which a pixel must move to count for the box
OUTSIDE = 0.02  # of the motion may lie beyond each side of the box
MARGIN = 0.15  # of the moving part's side, added on each side of it
WHOLE_SHARE = 0.9  # of the frames that a file claims; fewer, and it is cut off
Progress = Callable[[str, float], None]


def prepare_footage(
    footage: Sequence[Path], out: Path, settings: Settings, progress: Progress | None = None
) -> tuple[Manifest, list[str]]:
    """Cut footage into square clips, in train/ and test/ of a folder; go on where it was left.

    Args:
        footage: videos, folders of frames, and folders in which videos are sought.
        out: the folder of clips, new or of an earlier call with the same settings. It also gets
            manifest.json, preview.html and the page's pictures, and in truth/ the true alpha of
            clips whose footage has it, of the same frames and square.
        progress: called with what is being done and, in [0, 1], how much of it is.
    Returns:
        All that the folder was made of, and a sentence for each footage with a problem.
    Raises:
        DataError: there is no footage, `out` holds other things, or no footage could be read.
        MediaError: a clip cannot be written.
    """
    report = progress or (lambda text, share: None)
    manifest = open_manifest(out, settings)
    files = find_footage(footage, out)
    names = names_of(files, manifest)
    usable, problems = [], []
    for file in files:
        try:
            source = manifest.source_of(file)
            if source is None:
                source, notes = _analysed(file, names[footage_key(file)], settings, report)
                problems += notes
            elif footage_state(file) != (source.bytes, source.mtime_ns):
                raise DataError(f"{file} has changed since it was prepared; name another --out")
        except (InputError, OSError) as error:
            problems.append(str(error))
            continue
        usable.append(file)
        manifest = manifest.having(source)
        save_manifest(manifest, out)
    if not usable:
        raise DataError(f"no footage could be used: {problems[0]}")
    manifest = with_splits(manifest)
    # What a process killed while it wrote has left.
    for left in [*out.glob("t*/.*.mp4"), *out.glob(f"{TRUTH}/*/.*.mkv")]:
        left.unlink()
    for file in usable:
        source = manifest.source_of(file)
        if source and not source.done:
            save_manifest(manifest, out)
            _cut_out(file, source, out, settings.size, report)
            manifest = manifest.having(source.model_copy(update={"done": True}))
    save_manifest(manifest, out)
    write_page(manifest, out)
    return manifest, problems


def find_footage(named: Sequence[Path], out: Path) -> list[Path]:
    """The files and folders of frames to prepare, each once.

    Args:
        named: videos and folders; a folder of pictures is a video, in others videos are sought.
        out: a folder that is left out.
    Raises:
        DataError: a path is missing, or there is no video.
    """
    found: dict[str, Path] = {}
    for path in named:
        if not path.exists():
            raise DataError(f"{path} does not exist; check the path")
        for file in _videos_in(path) if path.is_dir() else [path]:
            if not file.resolve().is_relative_to(out.resolve()):
                found.setdefault(footage_key(file), file)
    if not found:
        names = ", ".join(map(str, named))
        raise DataError(f"there is no footage in {names}; name videos, or folders that hold some")
    return list(found.values())


def _videos_in(folder: Path) -> list[Path]:
    seen = [p for p in sorted(folder.rglob("*")) if not _hidden(p.relative_to(folder))]
    # The truth beside rendered clips is no footage.
    named = [p for p in seen if p.parent.parent.name != TRUTH]
    videos = [p for p in named if p.suffix.lower() in VIDEO_ENDINGS | {".gif"} and p.is_file()]
    if not videos and any(p.suffix.lower() in PICTURE_ENDINGS for p in folder.iterdir()):
        return [folder]
    return videos


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _analysed(
    file: Path, name: str, settings: Settings, report: Progress
) -> tuple[Source, list[str]]:
    """First pass: the pieces of the footage and their squares, and what is odd about it."""
    bytes_, mtime_ns = footage_state(file)
    alpha = _alpha(file)
    with open_video(file) as video:
        info = video.info
        if alpha is not None:
            with open_video(alpha) as truth:
                require_same_size(file, info, truth.info)
        _require_inside(settings.box, file, info.width, info.height)
        claimed = info.frames or 1

        def thumbnails() -> Iterator[np.ndarray]:
            for number, frame in enumerate(video):
                report(f"{file.name}: looking", min(1.0, number / claimed))
                yield thumbnail(on_white(frame.image, frame.alpha))

        pieces = tuple(
            _judged(first, stop, spread.frames(), info, settings)
            for first, stop, spread in _scenes(thumbnails(), round(settings.longest_s * info.fps))
        )
    source = Source(
        path=footage_key(file),
        bytes=bytes_,
        mtime_ns=mtime_ns,
        name=name,
        width=info.width,
        height=info.height,
        fps=str(info.fps),
        alpha=alpha is not None,
        pieces=pieces,
    )
    read = pieces[-1].stop
    if read < WHOLE_SHARE * claimed:
        return source, [f"{file} stops after {read} of {claimed} frames; what there is was used"]
    return source, []


def _require_inside(box: str | Box, file: Path, width: int, height: int) -> None:
    if isinstance(box, str):
        return
    left, top, side = box
    if side < 2 or min(left, top) < 0 or left + side > width or top + side > height:
        raise DataError(
            f"the box {left},{top},{side} is not inside {file}, which is {width}x{height} px; "
            "give left, top and side in its pixels"
        )


def _scenes(pictures: Iterator[np.ndarray], longest: int) -> Iterator[tuple[int, int, Spread]]:
    """First frame, frame after the last, and thumbnails of each piece of at most `longest`."""
    spread, first, stop = Spread(), 0, 0
    for number, (picture, cut) in enumerate(mark_cuts(pictures)):
        if number > first and (cut or number - first >= longest):
            yield first, number, spread
            spread, first = Spread(), number
        spread.add(picture)
        stop = number + 1
    if stop > first:
        yield first, stop, spread


def _judged(
    first: int, stop: int, frames: np.ndarray, info: VideoInfo, settings: Settings
) -> Piece:
    """A piece with its square, or with the reason why it is dropped."""
    motion = judge_motion(frames)
    box = settings.box
    if box == "auto" and motion.camera_still and not motion.static:
        box = motion_square(motion.time_share, info.width, info.height, settings.size)
    elif isinstance(box, str):
        box = centre_square(info.height, info.width)
    dropped = None
    if stop - first < max(2, settings.shortest_s * info.fps):
        dropped = TOO_SHORT
    elif motion.static:
        dropped = "nothing moves"
    elif not motion.camera_still and not settings.keep_moving_camera:
        dropped = "moving camera"
    start_s, end_s = (round(float(frame / info.fps), 3) for frame in (first, stop))
    return Piece(first=first, stop=stop, start_s=start_s, end_s=end_s, box=box, dropped=dropped)


def motion_square(time_share: np.ndarray, width: int, height: int, least_px: int) -> Box:
    """The square of a picture that holds nearly all of its motion.

    It is `least_px` or more on a side where the picture allows, for clips are not enlarged
    without need, and lies inside the picture.

    Args:
        time_share: (h, w) of `Motion`, of a reduced picture.
        width: of the picture, px.
        height: of the picture, px.
        least_px: the square's smallest side.
    """
    # The square root keeps limbs that move seldom from being outweighed by what always moves.
    weight = np.sqrt(np.where(time_share >= SEEN_SHARE, time_share, 0))
    left, right = (edge * width for edge in _bulk(weight.sum(0)))
    top, bottom = (edge * height for edge in _bulk(weight.sum(1)))
    side = max(right - left, bottom - top) * (1 + 2 * MARGIN)
    side = min(round(max(side, least_px)), width, height)
    corner = (left + right - side) / 2, (top + bottom - side) / 2
    x, y = (
        min(max(round(low), 0), full - side)
        for low, full in zip(corner, (width, height), strict=True)
    )
    return x, y, side


def _bulk(weights: np.ndarray) -> tuple[float, float]:
    """Where all but `OUTSIDE` of the weights on each side begins and ends, in [0, 1]."""
    total = weights.sum()
    if total == 0:
        return 0.0, 1.0
    share = np.cumsum(weights) / total
    first = int(np.searchsorted(share, OUTSIDE, side="right"))
    last = int(np.searchsorted(share, 1 - OUTSIDE))
    return first / len(weights), (last + 1) / len(weights)


def _cut_out(file: Path, source: Source, out: Path, size: int, report: Progress) -> None:
    """Second pass: the clips and the preview's pictures that are not there yet."""
    alpha = _alpha(file) if source.alpha else None
    with open_video(file) as video, ExitStack() as stack:
        planes = None
        if alpha is not None:
            truth = stack.enter_context(open_video(alpha))
            planes = enumerate(frame.image for frame in truth)
        frames = enumerate(on_white(frame.image, frame.alpha) for frame in video)
        for number, piece in enumerate(source.pieces):
            clip, picture = source.clip(number), source.picture(number)
            if picture is None or all((out / name).exists() for name in (clip, picture) if name):
                continue
            report(f"{file.name}: writing", piece.first / source.pieces[-1].stop)
            inside = _inside(frames, piece)
            if clip is None:
                sheet = strip(_first(inside, file), None, [])
            else:
                if planes is not None:  # first, as a clip that is there is not made again
                    _write_alpha(_inside(planes, piece), piece, out / clip, size, source)
                sheet = _write_clip(inside, piece, out / clip, size, Fraction(source.fps))
            save_strip(out / picture, sheet)


def _first(frames: Iterator[tuple[int, np.ndarray]], file: Path) -> np.ndarray:
    for _, frame in frames:
        return frame
    raise MediaError(f"{file} gave fewer frames than a moment ago; copy it to another disk")


def _inside(
    frames: Iterator[tuple[int, np.ndarray]], piece: Piece
) -> Iterator[tuple[int, np.ndarray]]:
    """The frames of a piece, out of a stream that stands before it."""
    for number, frame in frames:
        if number >= piece.first:
            yield number, frame
        if number >= piece.stop - 1:
            return


def _write_clip(
    frames: Iterator[tuple[int, np.ndarray]], piece: Piece, path: Path, size: int, fps: Fraction
) -> Image.Image:
    """Write a clip; returns its strip for the preview."""
    shown = np.linspace(piece.first, piece.stop - 1, SHOWN_FRAMES).astype(int)
    squares, whole = [], None
    with open_clip_writer(path, size, fps) as writer:
        for number, frame in frames:
            square = _cut(frame, piece.box, size)
            writer.write(square)
            if number in shown:
                squares.append(square)
            if whole is None or number == shown[SHOWN_FRAMES // 2]:
                whole = frame
    assert whole is not None
    return strip(whole, piece.box, squares)


def _write_alpha(
    planes: Iterator[tuple[int, np.ndarray]], piece: Piece, clip: Path, size: int, source: Source
) -> None:
    """Write the true alpha of a clip where training looks for it."""
    squares = [_cut(plane, piece.box, size)[..., 0] for _, plane in planes]
    require_same_length(clip, piece.stop - piece.first, len(squares))
    save_lossless(alpha_place(clip), np.stack(squares), Fraction(source.fps))


def _alpha(file: Path) -> Path | None:
    return Clip(file, "").alpha


def _cut(frame: np.ndarray, box: Box, size: int) -> np.ndarray:
    """The square of a frame that a clip shows: (H, W, 3) uint8 -> (size, size, 3)."""
    left, top, side = box
    cut = Image.fromarray(frame[top : top + side, left : left + side])
    return np.asarray(cut.resize((size, size), Image.Resampling.BICUBIC))
