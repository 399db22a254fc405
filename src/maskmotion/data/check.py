"""What is wrong with clips, before hours of training go into them."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from maskmotion.data.clips import PACKED_ENDING, Clip, find_clips
from maskmotion.data.scenes import Spread, centre_square, judge_motion, mark_cuts, thumbnail
from maskmotion.data.store import require_same_length, require_same_size
from maskmotion.durable import write_atomically
from maskmotion.errors import DataError, MediaError
from maskmotion.media import VideoInfo, on_white, open_video

MIN_FRAMES = 10
MIN_SIDE_PX = 128  # the smallest preset's pictures
WHOLE_SHARE = 0.9  # of the frames that a file claims; fewer, and it is cut off
PRINT_FRAMES, PRINT_PX = 8, 16
SAME_PRINT = 0.02  # mean difference of two fingerprints, in [0, 1], of one recording


@dataclass(frozen=True)
class Kind:
    """A kind of trouble: what it does to training, what helps, and whether the clip is dropped."""

    effect: str
    advice: str
    dropped: bool = True


KINDS = {
    "broken": Kind(
        "training leaves it out, or sees only its beginning", "download or convert it again"
    ),
    "too-short": Kind("its pairs of frames hardly differ", "use a longer piece of its footage"),
    "cut": Kind(
        "pairs of frames show two scenes, which no motion explains",
        "split it with `maskmotion data prepare`",
    ),
    "static": Kind("there is no motion to learn from", "use another piece of its footage"),
    "moving-camera": Kind(
        "the camera moves or the object fills the picture: teaches m nothing in tiny and small",
        "use footage from a tripod; keep it for vox, taichi and bair, and where its true alpha is "
        "known for people, with --keep moving-camera",
    ),
    "copy": Kind(
        "it counts twice, and in test/ it is no test", "keep one of the two; the later is dropped"
    ),
    "small": Kind("it is enlarged, and so is its blur", "use it at its full resolution", False),
    "both-splits": Kind(
        "test figures are too good if train/ shows the same one",
        "move the identity's clips to one side, unless equal names mean nothing here",
        False,
    ),
}


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a clip: one of `KINDS`, and a few words on this clip."""

    kind: str
    detail: str


@dataclass(frozen=True)
class ClipReport:
    """A clip that was looked at; sizes and lengths are 0 where it does not open.

    folder: the folder of clips that was named, in which `path` lies; fingerprint: (8, 16, 16, 3)
    uint8, what it shows, evenly over time; None where it is broken.
    """

    path: Path
    folder: Path
    split: str
    identity: str
    frames: int = 0
    duration_s: float = 0
    width: int = 0
    height: int = 0
    troubles: tuple[Trouble, ...] = ()
    fingerprint: np.ndarray | None = field(default=None, repr=False, compare=False)

    def dropped(self, keep: Iterable[str] = ()) -> bool:
        """Whether the clip would better be left out; troubles of the kinds `keep` are no reason."""
        kinds = {trouble.kind for trouble in self.troubles} - set(keep)
        return any(KINDS[kind].dropped for kind in kinds)

    def having(self, *troubles: Trouble) -> "ClipReport":
        """The same report with further troubles."""
        return replace(self, troubles=self.troubles + troubles)


def check_clips(
    folders: Sequence[Path], progress: Callable[[int, int], None] | None = None
) -> list[ClipReport]:
    """Look at every clip of some folders, one at a time, in memory that does not grow with them.

    Args:
        folders: each holds clips, or folders train/ and test/ that do.
        progress: called with (clips done, clips in all).
    Returns:
        A report for each clip: those of train/ first, sorted by path in each folder.
    Raises:
        DataError: a folder is missing, or holds no clips, or packed ones.
    """
    found = _found(folders)
    reports = []
    for done, (clip, folder, split) in enumerate(found):
        reports.append(_checked(ClipReport(clip.path, folder, split, _name(clip))))
        if progress:
            progress(done + 1, len(found))
    return _marked_identities(_marked_copies(reports))


def drop_list(reports: Sequence[ClipReport], keep: Iterable[str] = ()) -> str:
    """The paths of the clips to leave out, one a line under a comment that says why."""
    lines = ["# Clips that `maskmotion data check` would leave out. A line with # is a comment."]
    for report in reports:
        if report.dropped(keep):
            lines += [f"# {trouble.kind}: {trouble.detail}" for trouble in report.troubles]
            lines.append(str(report.path))
    return "\n".join(lines) + "\n"


def as_json(reports: Sequence[ClipReport], keep: Iterable[str] = ()) -> str:
    """All reports, for tools."""
    rows = []
    for report in reports:
        row = asdict(replace(report, fingerprint=None)) | {"dropped": report.dropped(keep)}
        del row["fingerprint"]
        rows.append(row | {"path": str(report.path), "folder": str(report.folder)})
    return json.dumps({"clips": rows}, indent=1, ensure_ascii=False) + "\n"


def write_report(file: Path, reports: Sequence[ClipReport], keep: Iterable[str] = ()) -> None:
    """Write everything to a file that ends in .json, else the list of what would be dropped.

    Raises:
        DataError: the file cannot be written.
    """
    text = as_json(reports, keep) if file.suffix.lower() == ".json" else drop_list(reports, keep)
    try:
        write_atomically(file, lambda path: path.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{file} cannot be written ({error.strerror}); name another file") from None


def move_dropped(
    reports: Sequence[ClipReport], destination: Path, keep: Iterable[str] = ()
) -> list[Path]:
    """Move what would be dropped to another folder, under the names of its folders.

    Returns:
        Where the clips are now.
    Raises:
        DataError: something is in the way, or the folder is on another disk; nothing is replaced.
    """
    moves = {
        report.path: destination / report.folder.resolve().name / _inside(report)
        for report in reports
        if report.dropped(keep)
    }
    for target, count in Counter(moves.values()).items():
        if target.exists() or count > 1:
            raise DataError(
                f"{target} would be replaced; name another folder, or check one folder at a time"
            )
    for path, target in moves.items():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
        except OSError as error:
            raise DataError(
                f"{path} cannot be moved to {target} ({error.strerror}); name a folder on the "
                "same disk"
            ) from None
    return list(moves.values())


def _inside(report: ClipReport) -> Path:
    return report.path.relative_to(report.folder)


def _found(folders: Sequence[Path]) -> list[tuple[Clip, Path, str]]:
    found, seen = [], set()
    for split in ("train", "test"):
        for folder in folders:
            for clip in find_clips(folder, split):
                if clip.path.suffix == PACKED_ENDING:
                    raise DataError(f"{clip.path} is packed; check the clips that it is made of")
                if clip.path.resolve() not in seen:
                    seen.add(clip.path.resolve())
                    found.append((clip, folder, split))
    if not found:
        names = ", ".join(map(str, folders))
        raise DataError(
            f"there are no clips in {names}; a folder of clips holds video files, folders of "
            "frames, or folders train/ and test/ that do"
        )
    return found


def _name(clip: Clip) -> str:
    """The identity without the folder that it lies in."""
    return Path(clip.identity).name


def _checked(report: ClipReport) -> ClipReport:
    spread = Spread()
    cuts_s: list[float] = []
    times_s: list[float] = []
    try:
        with open_video(report.path) as video:
            info = video.info
            left, top, side = centre_square(info.height, info.width)

            def thumbnails() -> Iterable[np.ndarray]:
                for frame in video:
                    times_s.append(frame.time_s)
                    image = on_white(frame.image, frame.alpha)
                    yield thumbnail(image[top : top + side, left : left + side])

            for number, (picture, cut) in enumerate(mark_cuts(thumbnails())):
                spread.add(picture)
                if cut:
                    cuts_s.append(times_s[number])
        _require_fitting_alpha(report.path, info, len(times_s))
    except (MediaError, OSError) as error:
        return report.having(Trouble("broken", str(error)))
    report = replace(
        report,
        frames=len(times_s),
        duration_s=round(times_s[-1] + float(1 / info.fps), 3),
        width=info.width,
        height=info.height,
        fingerprint=_fingerprint(spread),
    )
    return report.having(*_troubles(report, info.frames, cuts_s, spread))


def _require_fitting_alpha(path: Path, info: VideoInfo, frames: int) -> None:
    """Raise the MediaError for which training would leave a clip out."""
    alpha = Clip(path, "").alpha
    if alpha is not None:
        with open_video(alpha) as truth:
            require_same_size(path, info, truth.info)
            require_same_length(path, frames, sum(1 for _ in truth))


def _troubles(
    report: ClipReport, claimed: int | None, cuts_s: list[float], spread: Spread
) -> list[Trouble]:
    troubles = []
    if claimed and report.frames < WHOLE_SHARE * claimed:
        troubles.append(Trouble("broken", f"stops after {report.frames} of {claimed} frames"))
    if min(report.width, report.height) < MIN_SIDE_PX:
        troubles.append(Trouble("small", f"{report.width}x{report.height} px"))
    if report.frames < MIN_FRAMES:
        return [*troubles, Trouble("too-short", f"{report.frames} frames")]
    if cuts_s:
        times = ", ".join(f"{time:.2f}" for time in cuts_s)
        return [*troubles, Trouble("cut", f"another scene from {times} s on")]
    motion = judge_motion(spread.frames())
    if motion.static:
        troubles.append(Trouble("static", "nothing moves"))
    elif not motion.camera_still:
        troubles.append(Trouble("moving-camera", "most of its border changes"))
    return troubles


def _fingerprint(spread: Spread) -> np.ndarray:
    size = (PRINT_PX, PRINT_PX)
    reduced = [
        np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
        for picture in spread.frames(PRINT_FRAMES)
    ]
    # A clip of fewer frames repeats its last, so that all fingerprints have one size.
    return np.stack(reduced + reduced[-1:] * (PRINT_FRAMES - len(reduced)))


def _marked_copies(reports: list[ClipReport]) -> list[ClipReport]:
    """Mark every clip that shows what an earlier one shows."""
    found = {i: r.fingerprint for i, r in enumerate(reports) if r.fingerprint is not None}
    if not found:
        return reports
    known = list(found)
    prints = np.stack(list(found.values())).reshape(len(found), -1)
    brightness = prints.mean(1)
    order = np.argsort(brightness)
    marked = list(reports)
    for place, number in enumerate(known):
        # Means differ by no more than the pictures do, so only clips as bright can be the same.
        reach = brightness[place] + np.array([-1, 1]) * SAME_PRINT * 255
        low, high = np.searchsorted(brightness[order], reach)
        near = np.sort(order[low:high])
        near = near[near < place]
        differences = np.abs(prints[near].astype(np.int16) - prints[place]).mean(1) / 255
        same = near[differences < SAME_PRINT]
        if len(same):
            first = reports[known[same[0]]].path
            marked[number] = marked[number].having(Trouble("copy", f"shows what {first} shows"))
    return marked


def _marked_identities(reports: list[ClipReport]) -> list[ClipReport]:
    """Mark the test clips of identities that train/ has, too."""
    splits = defaultdict(set)
    for report in reports:
        splits[report.identity].add(report.split)
    detail = "train/ has clips of this name, too"
    return [
        report.having(Trouble("both-splits", detail))
        if report.split == "test" and len(splits[report.identity]) == 2
        else report
        for report in reports
    ]
