"""`maskmotion data pack`: decode clips once, for training anywhere."""

import sys
from pathlib import Path

from maskmotion.cli.train import Screen
from maskmotion.data.pack import pack_clips
from maskmotion.errors import ConfigError

MEGABYTE = 10**6


def pack(folders: list[Path], /, *, out: Path, size: int = 256, jobs: int | None = None) -> None:
    """Decode clips into a folder that training reads without decoding.

    Example: maskmotion data pack my_clips --out my_pack --size 128

    Then: maskmotion train --data my_pack ...

    A pack may be copied to another machine. Running the same command again packs what is missing
    or has changed; Ctrl-C, or a crash, leaves nothing half. Where the true alpha of clips lies
    beside them, as `maskmotion synth people` writes it, it is packed, too.

    Args:
        folders: folders of clips, or of folders train/ and test/ that hold clips.
        out: the pack's folder.
        size: side of the packed frames in px, the model.image_size of the training.
        jobs: clips that are decoded side by side; left out, one a core, at most 8.
    """
    if size < 128 or size % 128:
        raise ConfigError(f"--size takes a model.image_size, a multiple of 128 px, not {size}")
    if jobs is not None and jobs < 1:
        raise ConfigError(f"--jobs takes a number from 1, not {jobs}")
    with Screen(sys.stderr) as screen:
        packed = pack_clips(folders, out, size=size, jobs=jobs, progress=screen.decoding)
        for reason in packed.left_out:
            screen.message(f"left out: {reason}")
    alpha = f", {packed.with_alpha} clips with alpha" if packed.with_alpha else ""
    left_out = f"; {len(packed.left_out)} left out" if packed.left_out else ""
    sys.stdout.write(
        f"{out}: {packed.clips} clips ({packed.new} new), {packed.frames} frames of {size} px"
        f"{alpha}, {packed.size_bytes / MEGABYTE:.0f} MB{left_out}\n"
    )
