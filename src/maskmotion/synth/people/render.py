"""Pictures of a figure by OpenGL: on a graphics card, or on the processor (Mesa's llvmpipe)."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from maskmotion.errors import MissingExtraError
from maskmotion.synth.people.camera import Camera
from maskmotion.synth.people.figure import Figure, Posed
from maskmotion.synth.people.light import Light

__all__ = ["Grade", "Renderer"]

Array = np.ndarray
MATERIALS = ("skin", "eye", "mouth", "lash", "cloth", "hair", "hard")
# Uniforms of a piece that names none, so that nothing is left from the piece before.
UNSAID = {
    "shine": 0.0,
    "rough": 1.0,
    "tint": (1.0, 1.0, 1.0),
    "tile": 1.0,
    "bump": (0.0,) * 4,
    "trim": 0.0,
    "print_box": (0.0, 0.0, 1.0, 1.0),
}
OPEN = ("cloth", "hair", "lash", "hard")  # meshes that may be seen from behind
SUPER = 2  # samples a pixel and direction; shaders/finish.frag knows it too
LAMP_PX = 512
CONTACT_M = 0.35  # what is higher at rest does not touch the floor
DEPTHS_UNIT = 7
MOVING = {"position": 3, "normal": 3}  # columns of a vertex
STILL = {"rest": 3, "rest_normal": 3, "coordinate": 2, "aux": 4}
LAMP_DEPTH_M = 1.5  # before and behind the middle of what the lamp sees
LAMP_REACH_M = 1.3  # at most half the side of that


@dataclass(frozen=True)
class Grade:
    """From light to the picture's values.

    Attributes:
        exposure: factor before the film's curve.
        balance: factor of each of RGB.
        softness_px: spread of the lens's blur.
        vignette: share of the light that is lost in the corners.
    """

    exposure: float = 1.0
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    softness_px: float = 0.0
    vignette: float = 0.0

    def tone(self, light: Array) -> Array:
        """(..., 3) float32 in [0, 1] from linear light; the same curve as shaders/finish.frag."""
        x = light * (self.exposure * np.asarray(self.balance, np.float32))
        x = x * (1 + 0.12 * x) / (1 + 0.45 * x)
        x = np.clip(x, 0, 1) ** np.float32(1 / 2.2)
        return 0.6 * x + 0.4 * x * x * (3 - 2 * x)

    def taps(self) -> tuple[float, float]:
        """Weights of a pixel and of each of its two neighbours, along one direction."""
        side = float(np.exp(-0.5 / max(self.softness_px, 1e-3) ** 2))
        return 1 / (1 + 2 * side), side / (1 + 2 * side)

    def soften(self, light: Array) -> Array:
        """(H, W, 3) light through the lens, as shaders/finish.frag does it."""
        middle, side = self.taps()
        for axis in (0, 1):
            padded = np.pad(light, [(1, 1) if a == axis else (0, 0) for a in range(3)], "edge")
            low, high = (np.take(padded, range(s, s + light.shape[axis]), axis) for s in (0, 2))
            light = middle * light + side * (low + high)
        return light

    def corners(self, size: int) -> Array:
        """(size, size, 1) float32 factor of a picture's values."""
        x = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
        return 1 - self.vignette * ((x[:, None] ** 2 + x**2) / 2)[..., None] ** 1.5


def _current(method: Callable[..., Any]) -> Callable[..., Any]:
    """Another renderer's context may be the current one."""

    @functools.wraps(method)
    def wrapped(self: Renderer, *arguments: Any, **options: Any) -> Any:
        with self._gl:
            return method(self, *arguments, **options)

    return wrapped


class Renderer:
    """Draws one figure at a time; to be used in a `with` statement.

    Args:
        size: side of the pictures in px.
    Raises:
        MissingExtraError: moderngl is not installed, or no OpenGL 3.3 can be had.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        gl = self._gl = _context()
        self.device = str(gl.info["GL_RENDERER"])  # what draws, as OpenGL names it
        fine = (size * SUPER, size * SUPER)
        self._programs = {
            "depth": _program(gl, "depth.vert", "depth.frag"),
            "floor": _program(gl, "floor.vert", "floor.frag"),
            "finish": _program(gl, "screen.vert", "finish.frag"),
            **{name: _program(gl, "figure.vert", "figure.frag", name) for name in MATERIALS},
        }
        self._light = gl.texture(fine, 4, dtype="f2")
        self._light.repeat_x = self._light.repeat_y = False
        self._drawn = gl.framebuffer([self._light], gl.depth_renderbuffer(fine))
        self._picture = gl.framebuffer([gl.texture((size, size), 4)])
        self._depths = gl.depth_texture((LAMP_PX, LAMP_PX))
        self._depths.compare_func = ""
        self._depths.filter = (gl.NEAREST, gl.NEAREST)
        self._lamp = gl.framebuffer(depth_attachment=self._depths)
        self._screen = gl.vertex_array(self._programs["finish"], [])
        self._loaded: _Loaded | None = None

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back what OpenGL holds."""
        self._gl.release()

    @_current
    def load(self, figure: Figure) -> None:
        """Make a figure the one that is drawn from now on."""
        if self._loaded is not None:
            self._loaded.release()
        self._loaded = _Loaded(self._gl, self._programs, figure)

    @_current
    def draw(
        self,
        posed: Posed,
        t: int,
        camera: Camera,
        light: Light,
        grade: Grade,
        drift: Array | None = None,
    ) -> tuple[Array, Array]:
        """One picture of the loaded figure.

        Args:
            posed: the figure's poses.
            t: which of them.
            drift: (4, 4) what happens to the camera's picture; None: nothing.
        Returns:
            (size, size, 3) uint8 sRGB colour of the figure, 0 where it is not; (size, size) uint8
            share of each pixel that it covers.
        """
        assert self._loaded is not None
        gl = self._gl
        vertices = posed.vertices[t]
        self._loaded.write(vertices, posed.normals[t])
        middle, reach = _lamp_view(camera, vertices)
        lamp = _lamp_matrix(light, middle, reach)
        gl.enable_only(gl.DEPTH_TEST)
        self._lamp.use()
        self._lamp.clear(depth=1.0)
        _set(self._programs["depth"], {"lamp": _columns(lamp)})
        self._loaded.outlines["lamp"].render()
        self._drawn.use()
        self._drawn.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
        self._light_up(camera, drift, light, lamp, reach)
        self._loaded.draw()
        return self._finished(grade)

    @_current
    def floor(
        self, camera: Camera, light: Light, drift: Array | None = None
    ) -> tuple[Array, Array]:
        """Where the figure, as last drawn, keeps light from the floor z = 0.

        Returns:
            (size, size) uint8 shadow of the lamp, 255 inside; and how near something is above.
        """
        assert self._loaded is not None
        gl, program = self._gl, self._programs["floor"]
        gl.disable(gl.DEPTH_TEST)
        self._picture.use()
        self._picture.clear(0.0, 0.0, 0.0, 0.0)
        gl.enable(gl.BLEND)
        gl.blend_equation = gl.MAX
        low = max(light.towards[2], 0.25)  # a shadow is not longer than four times the height
        matrix = _columns(_seen(camera, drift))
        slope = (light.towards[0] / low, light.towards[1] / low)
        for name, across, share in (
            ("shadow", slope, (1.0, 0.0)),
            ("contact", (0.0, 0.0), (0.0, 1.0)),
        ):
            if name in self._loaded.outlines:
                _set(program, {"camera": matrix, "slope": across, "share": share})
                self._loaded.outlines[name].render()
        gl.disable(gl.BLEND)
        picture = self._read()
        return picture[..., 0].copy(), picture[..., 1].copy()

    def _light_up(
        self, camera: Camera, drift: Array | None, light: Light, lamp: Array, reach: float
    ) -> None:
        self._depths.use(DEPTHS_UNIT)
        values = {
            "camera": _columns(_seen(camera, drift)),
            "lamp": _columns(lamp),
            "lamp_scale": (2 * reach / LAMP_PX, 0.5 / LAMP_DEPTH_M),
            "eye": tuple(camera.position),
            "towards": tuple(light.towards),
            "key": tuple(light.key),
            "sky": tuple(light.sky),
            "ground": tuple(light.ground),
            "softness": light.softness,
            "depths": DEPTHS_UNIT,
        }
        for material in MATERIALS:
            _set(self._programs[material], values)

    def _finished(self, grade: Grade) -> tuple[Array, Array]:
        gl, program = self._gl, self._programs["finish"]
        gl.disable(gl.DEPTH_TEST)
        self._picture.use()
        self._light.use(0)
        values = {"exposure": grade.exposure, "balance": tuple(grade.balance), "light": 0}
        _set(program, values | {"taps": grade.taps()})
        self._screen.render(vertices=3)
        picture = self._read()
        alpha = picture[..., 3].copy()
        colour = picture[..., :3]
        if grade.vignette:
            colour = np.rint(colour * grade.corners(self.size)).astype(np.uint8)
        return colour * (alpha > 0)[..., None], alpha

    def _read(self) -> Array:
        flat = np.frombuffer(self._picture.read(components=4), np.uint8)
        return flat.reshape(self.size, self.size, 4)[::-1]


class _Loaded:
    """A figure's buffers and textures."""

    def __init__(self, gl: Any, programs: dict[str, Any], figure: Figure) -> None:
        self._gl = gl
        self._kept: list[Any] = []
        self._rows, parts = _rows(figure)
        rest = figure.rest[self._rows]
        static = np.concatenate(
            [
                rest,
                figure.rest_normals()[self._rows],
                np.concatenate([part.coordinates for part in parts]),
                np.concatenate([part.aux for part in parts]),
            ],
            1,
        ).astype(np.float32)
        self._moving = self._keep(gl.buffer(reserve=len(rest) * 24))
        still = self._keep(gl.buffer(static.tobytes()))
        self._calls = []
        for part in parts:
            indices = self._keep(gl.buffer(part.faces.tobytes()))
            program = programs[part.piece.material]
            columns = [(self._moving, *_layout(program, MOVING)), (still, *_layout(program, STILL))]
            array = gl.vertex_array(program, [c for c in columns if len(c) > 2], indices)
            textures = self._textures(gl, part.piece)
            self._calls.append((self._keep(array), program, part.piece, textures))
        faces = np.concatenate([part.faces for part in parts if part.piece.casts])
        near_floor = faces[(rest[faces, 2] < CONTACT_M).all(1)]
        self.outlines = {
            name: self._outline(programs[program], chosen)
            for name, program, chosen in (
                ("lamp", "depth", faces),
                ("shadow", "floor", faces),
                ("contact", "floor", near_floor),
            )
            if len(chosen)
        }

    def _outline(self, program: Any, faces: Array) -> Any:
        """Faces to be drawn without looks."""
        indices = self._keep(self._gl.buffer(faces.tobytes()))
        column = [(self._moving, "3f 12x", "position")]
        return self._keep(self._gl.vertex_array(program, column, indices))

    def write(self, vertices: Array, normals: Array) -> None:
        both = np.concatenate([vertices[self._rows], normals[self._rows]], 1)
        self._moving.write(both.tobytes())

    def draw(self) -> None:
        for array, program, piece, textures in self._calls:
            for unit, texture in enumerate(textures.values()):
                texture.use(unit)
            units = {name: unit for unit, name in enumerate(textures)}
            _set(program, UNSAID | units | dict(piece.uniforms))
            self._gl.enable_only(_flags(self._gl, piece.material))
            array.render()

    def release(self) -> None:
        for thing in self._kept:
            thing.release()

    def _textures(self, gl: Any, piece: Any) -> dict[str, Any]:
        made = {}
        for name, picture in piece.textures.items():
            height, width, channels = picture.shape
            texture = gl.texture((width, height), channels, picture[::-1].tobytes(), alignment=1)
            texture.build_mipmaps()
            texture.filter = (gl.LINEAR_MIPMAP_LINEAR, gl.LINEAR)
            made[name] = self._keep(texture)
        return made

    def _keep(self, thing: Any) -> Any:
        self._kept.append(thing)
        return thing


@dataclass(frozen=True)
class _Part:
    """A piece whose vertices are split where the texture has a seam."""

    piece: Any
    faces: Array
    coordinates: Array
    aux: Array


def _rows(figure: Figure) -> tuple[Array, list[_Part]]:
    """For each drawn vertex, its row in the figure; and the pieces in terms of these."""
    rows, parts, count = [], [], 0
    for piece, start in zip(figure.pieces, figure.starts, strict=True):
        corners = piece.faces if piece.corners is None else piece.corners
        pairs = np.stack([piece.faces.ravel(), corners.ravel()], 1)
        unique, faces = np.unique(pairs, axis=0, return_inverse=True)
        rows.append(unique[:, 0] + start)
        parts.append(
            _Part(
                piece,
                (faces.reshape(-1, 3) + count).astype(np.int32),
                piece.coordinates[unique[:, 1]],
                piece.aux[unique[:, 0]],
            )
        )
        count += len(unique)
    return np.concatenate(rows), parts


def _flags(gl: Any, material: str) -> int:
    return gl.DEPTH_TEST if material in OPEN else gl.DEPTH_TEST | gl.CULL_FACE


def _layout(program: Any, sizes: dict[str, int]) -> tuple[str, ...]:
    """A buffer's columns as moderngl wants them, without those that the program does not use."""
    columns = [f"{n}f" if name in program else f"{4 * n}x" for name, n in sizes.items()]
    return " ".join(columns), *(name for name in sizes if name in program)


def _set(program: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name in program:
            program[name].value = value


def _program(gl: Any, vertex: str, fragment: str, define: str = "") -> Any:
    source = _shader(fragment)
    if define:
        source = source.replace("\n", f"\n#define {define.upper()}\n", 1)
    return gl.program(vertex_shader=_shader(vertex), fragment_shader=source)


def _seen(camera: Camera, drift: Array | None) -> Array:
    return camera.matrix() if drift is None else drift @ camera.matrix()


def _columns(matrix: Array) -> tuple[float, ...]:
    return tuple(matrix.T.ravel().tolist())


def _lamp_view(camera: Camera, vertices: Array) -> tuple[Array, float]:
    """Middle and half side in m of what the lamp is to see: what the camera sees of a figure."""
    away = float(np.linalg.norm(np.subtract(camera.position, camera.target)))
    reach = 1.3 * away / camera.focal
    if reach >= LAMP_REACH_M:
        return (vertices.min(0) + vertices.max(0)) / 2, LAMP_REACH_M
    return np.array(camera.target), reach


def _lamp_matrix(light: Light, middle: Array, reach: float) -> Array:
    """(4, 4) parallel rays of the lamp."""
    backward = np.asarray(light.towards, float)
    right = np.cross([0.0, 0.3, 1.0], backward)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(backward, right), -backward])
    scale = np.array([reach, reach, LAMP_DEPTH_M])
    matrix = np.eye(4)
    matrix[:3, :3] = axes / scale[:, None]
    matrix[:3, 3] = -axes @ middle / scale
    return matrix.astype(np.float32)


def _shader(name: str) -> str:
    return (resources.files("maskmotion.synth.people") / "shaders" / name).read_text()


def _context() -> Any:
    try:
        import moderngl
    except ImportError as error:
        raise MissingExtraError(
            "rendered people need the extra synth; install it with `pip install maskmotion[synth]`"
        ) from error
    settings: dict[str, Any] = {"backend": "egl"}
    with contextlib.suppress(Exception):
        return moderngl.create_context(require=330, standalone=True, **settings)
    raise MissingExtraError(
        "no OpenGL 3.3 through EGL was found; install Mesa (Debian: libegl1 libgl1)"
    )
