"""A page that shows what became of footage: every clip, and what was dropped and why."""

from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image, ImageDraw

from maskmotion.data.manifest import TOO_SHORT, Box, Manifest, Source
from maskmotion.durable import write_atomically
from maskmotion.media.files import writing

PAGE = "preview.html"
HEIGHT_PX = 144
SHOWN_FRAMES = 5
BOX_COLOUR = (255, 64, 64)
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff; }
figure { margin: 0 0 1.2rem; } img { max-width: 100%; display: block; }
figcaption { color: #555; } .dropped figcaption { color: #b00; } h2 { margin-top: 2.5rem; }
"""


def strip(frame: np.ndarray, box: Box | None, squares: list[np.ndarray]) -> Image.Image:
    """A frame of the footage with the box drawn on it, and frames of the clip beside it.

    Args:
        frame: (H, W, 3) uint8.
        box: in px of the frame; None draws none.
        squares: (S, S, 3) uint8.
    """
    scale = HEIGHT_PX / frame.shape[0]
    # A panorama is cut off rather than shown as a line.
    width = min(4 * HEIGHT_PX, max(1, round(frame.shape[1] * scale)))
    whole = Image.fromarray(frame).resize((max(1, round(frame.shape[1] * scale)), HEIGHT_PX))
    if box is not None:
        left, top, side = (value * scale for value in box)
        corner = (left + side - 1, top + side - 1)
        ImageDraw.Draw(whole).rectangle((left, top, *corner), outline=BOX_COLOUR, width=2)
    sheet = Image.new("RGB", (width + len(squares) * (HEIGHT_PX + 2), HEIGHT_PX), "white")
    sheet.paste(whole.crop((0, 0, width, HEIGHT_PX)))
    for number, square in enumerate(squares):
        picture = Image.fromarray(square).resize((HEIGHT_PX, HEIGHT_PX))
        sheet.paste(picture, (width + 2 + number * (HEIGHT_PX + 2), 0))
    return sheet


def save_strip(path: Path, picture: Image.Image) -> None:
    """Write a strip as JPEG.

    Raises:
        MediaError: the disk does not take it.
    """
    with writing(path):
        write_atomically(path, lambda temporary: picture.save(temporary, "JPEG", quality=85))


def write_page(manifest: Manifest, out: Path) -> None:
    """Write the page into the folder of clips.

    Raises:
        MediaError: the disk does not take it.
    """
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Prepared clips</title>",
        f"<style>{STYLE}</style><h1>Prepared clips</h1>",
        "<p>Left, a frame of the footage with the clip's square; beside it, frames of the clip. "
        "Delete the clips that do not show your object: they are not made again.</p>",
        *(_section(source) for source in manifest.sources),
    ]
    text = "\n".join(parts) + "\n"
    with writing(out / PAGE):
        write_atomically(out / PAGE, lambda path: path.write_text(text, encoding="utf-8"))


def _section(source: Source) -> str:
    about = f"{source.width}x{source.height} px, {source.kept} clips"
    moments = sum(piece.dropped == TOO_SHORT for piece in source.pieces)
    if moments:
        about += f"; {moments} pieces were dropped, {TOO_SHORT}"
    figures = [_figure(source, number) for number in range(len(source.pieces))]
    return "\n".join([f"<h2>{escape(source.name)}</h2><p>{escape(about)}</p>", *figures])


def _figure(source: Source, number: int) -> str:
    piece, clip, picture = source.pieces[number], source.clip(number), source.picture(number)
    if picture is None:
        return ""
    image = f"<img loading='lazy' alt='' src='{_link(picture)}'>"
    about = f"{piece.start_s:.1f} to {piece.end_s:.1f} s: "
    if clip is None:
        caption = f"<figcaption>{about}dropped, {piece.dropped}</figcaption>"
        return f"<figure class='dropped'>{image}{caption}</figure>"
    caption = f"<figcaption>{about}{escape(clip)}, square of {piece.box[2]} px</figcaption>"
    return f"<figure><a href='{_link(clip)}'>{image}</a>{caption}</figure>"


def _link(name: str) -> str:
    return quote(name, errors="surrogateescape")
