"""How rendered people move: a motion that any body can perform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from maskmotion.synth.people.body import Body
from maskmotion.synth.people.motion.behaviours import (
    SHAPES,
    THEME_SHARES,
    THEMES,
    Scene,
    Tracks,
    act,
    limited,
    still,
)
from maskmotion.synth.people.motion.curves import drift, ease, smooth
from maskmotion.synth.people.motion.face import (
    GAZE_LIMITS,
    HEADS,
    Face,
    gaze_actions,
    make_face,
)
from maskmotion.synth.people.motion.feet import Step, walk
from maskmotion.synth.people.motion.performing import pose
from maskmotion.synth.people.seeding import stream

__all__ = ["Framing", "Motion", "Performance", "make_motion", "perform"]

Array = np.ndarray
Framing = Literal["body", "portrait"]
PAD_S = 3.4  # computed before and after the clip, so that its ends are like its middle


@dataclass(frozen=True)
class Played:
    """One behaviour of a clip.

    Attributes:
        name: what is done.
        start_s, end_s: when its share is half taken over from or by its neighbour.
        tempo: 1 is the usual speed.
        pause_s: the middle of a rest, if there is one.
        notes: style, beats and the like.
    """

    name: str
    start_s: float
    end_s: float
    tempo: float
    pause_s: float | None
    notes: dict[str, float | str]


@dataclass(frozen=True, eq=False)
class Motion:
    """What a person does, whoever it is.

    Attributes:
        seed: that it came from.
        fps: frames a second.
        framing: "body" moves the whole person, "portrait" mostly head and face.
        theme: kind of behaviours that the clip draws from.
        behaviours: in order of time.
        tracks: name -> (T, ...) in degrees and lengths of limbs.
        actions: ARKit's name of a facial action -> (T,) in 0..1.
        face: what the face does, for the description.
        steps: of the feet.
    """

    seed: int
    fps: float
    framing: Framing
    theme: str
    behaviours: tuple[Played, ...]
    tracks: Tracks
    actions: dict[str, Array]
    face: Face
    steps: tuple[Step, ...]

    @property
    def frames(self) -> int:
        return len(self.tracks["weight"])

    def describe(self) -> dict[str, Any]:
        """What happens when, of strings and numbers only."""
        end = self.frames / self.fps
        return {
            "seed": self.seed,
            "frames": self.frames,
            "fps": self.fps,
            "framing": self.framing,
            "theme": self.theme,
            "behaviours": [
                {
                    "name": played.name,
                    "start_s": round(max(played.start_s, 0.0), 3),
                    "end_s": round(min(played.end_s, end), 3),
                    "tempo": round(played.tempo, 3),
                    "pause_s": played.pause_s,
                    **played.notes,
                }
                for played in self.behaviours
            ],
            "steps": sum(0 <= step.lift < end for step in self.steps),
            "blinks_s": [at for at in self.face.blinks_s if 0 <= at < end],
            "spoken_s": [span for span in self.face.spoken_s if span[1] > 0 and span[0] < end],
            "expressions": [mood for mood in self.face.moods if mood[2] > 0 and mood[1] < end],
        }


@dataclass(frozen=True, eq=False)
class Performance:
    """A motion on one body; the arguments of `Figure.pose`.

    Attributes:
        rotations: (T, J, 3, 3) float32 of the bones against their parents.
        shift: (T, 3) float32 m.
        actions: (T, A) float32 facial actions in the body's order.
    """

    rotations: Array
    shift: Array
    actions: Array


def perform(motion: Motion, body: Body) -> Performance:
    """Move a body.

    Args:
        motion: what to do.
        body: who does it; only its skeleton and its girth at rest matter.
    """
    rotations, shift = pose(motion.tracks, motion.fps, body)
    actions = np.zeros((motion.frames, len(body.actions)), np.float32)
    for name, values in motion.actions.items():
        actions[:, body.actions.index(name)] = values
    return Performance(rotations.astype(np.float32), shift.astype(np.float32), actions)


def make_motion(seed: int, *, frames: int, fps: float, framing: Framing) -> Motion:
    """A motion drawn at random; a longer one of the same seed begins the same.

    Args:
        seed: of the motion.
        frames: how many.
        fps: frames a second.
        framing: "body" for whole people, "portrait" for heads and shoulders.
    """
    pad = int(np.ceil(PAD_S * fps))
    time = (np.arange(frames + 2 * pad) - pad) / fps
    make = _body_tracks if framing == "body" else _portrait_tracks
    theme, behaviours, tracks, asked, talking = make(seed, time)
    # Rounds off what a behaviour or a join leaves of corners.
    tracks = {name: smooth(track, 0.05 * fps) for name, track in limited(tracks).items()}
    feet, steps = walk(time, tracks["root"], tracks["stance"], asked)
    tracks |= feet
    tracks["weight"] = _weight(time, tracks["weight"], steps, fps)
    tracks["balance"] = smooth(_spots(tracks["foot"]), 0.09 * fps)
    face = make_face(seed, time, talking=talking, moody=0.35 if framing == "portrait" else 0.2)
    actions = _follow(tracks, face, share=0.3 if framing == "body" else 0.45, fps=fps)
    cut = slice(pad, pad + frames)
    return Motion(
        seed,
        fps,
        framing,
        theme,
        tuple(b for b in behaviours if b.end_s > 0 and b.start_s < frames / fps),
        {name: track[cut] for name, track in tracks.items()},
        {name: values[cut] for name, values in actions.items()},
        face,
        tuple(steps),
    )


Made = tuple[str, list[Played], Tracks, list[Step], list[tuple[float, float]]]


def _clock(
    seed: int, index: int, time: Array, start: float, end: float
) -> tuple[Array, float, float | None]:
    """A behaviour's own time, which hurries, lingers and sometimes rests; its tempo and rest."""
    rng = stream("tempo", seed, index)
    tempo = float(np.exp(rng.uniform(np.log(0.72), np.log(1.4))))
    rate = tempo * (1 + 0.3 * np.sin(2 * np.pi * time / rng.uniform(1.2, 2.5) + rng.uniform(0, 6)))
    pause = None
    if rng.random() < 0.3:
        pause = float(rng.uniform(start + 0.3, max(end - 0.2, start + 0.4)))
        rate = rate * (1 - 0.94 * np.exp(-(((time - pause) / rng.uniform(0.12, 0.3)) ** 2)))
    own = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(time))])
    return own - np.interp(start, time, own), tempo, None if pause is None else round(pause, 3)


def _windows(seed: int, time: Array, shortest: float, longest: float) -> list[tuple[float, float]]:
    """Stretches of time that behaviours take, until after the end."""
    rng = stream("lengths", seed)
    out = []
    at = float(rng.uniform(-0.9, -0.1))
    while at < time[-1]:
        end = at + float(rng.uniform(shortest, longest))
        out.append((at, end))
        at = end
    return out


def _blend(time: Array, spans: list[tuple[float, float]], joins: Array, index: int) -> Array:
    """Weight of one stretch; neighbours add up to 1."""

    def rise(at: float, width: float) -> Array:
        return ease((time - at) / width + 0.5)

    first = rise(spans[index][0], joins[index]) if index else np.ones(len(time))
    last = rise(spans[index][1], joins[index + 1]) if index + 1 < len(spans) else 0.0
    return first - last


def _body_tracks(seed: int, time: Array) -> Made:
    rng = stream("theme", seed)
    theme = str(rng.choice(list(THEME_SHARES), p=list(THEME_SHARES.values())))
    spans = _windows(seed, time, 1.0, 2.1)
    joins = stream("joins", seed).uniform(0.55, 0.9, len(spans) + 1)
    tracks: Tracks = {name: np.zeros((len(time), *shape)) for name, shape in SHAPES.items()}
    played, asked, talking = [], [], []
    before = ""
    for i, (start, end) in enumerate(spans):
        name = before = _draw(seed, i, THEMES[theme], before)
        clock, tempo, pause = _clock(seed, i, time, start, end)
        length = float(np.interp(end, time, clock))
        scene = Scene(clock, length, tempo, stream("behaviour", seed, i), still(time))
        act(name, scene)
        share = _blend(time, spans, joins, i)
        for track, values in scene.tracks.items():
            tracks[track] += share.reshape(-1, *[1] * (values.ndim - 1)) * values
        asked += _on_clip(scene.steps, clock, time, start, end)
        played.append(Played(name, round(start, 3), round(end, 3), tempo, pause, scene.notes))
        if name == "gesture":
            talking.append((start, end))
    return theme, played, tracks, asked, talking


def _draw(seed: int, index: int, shares: dict[str, float], before: str) -> str:
    """Name of a behaviour; one that comes often in a theme may follow itself."""
    rng = stream("order", seed, index)
    names = list(shares)
    odds = np.array([shares[n] * (0.0 if n == before and shares[n] < 3 else 1.0) for n in names])
    return str(names[rng.choice(len(names), p=odds / odds.sum())])


def _on_clip(steps: list[Step], clock: Array, time: Array, start: float, end: float) -> list[Step]:
    """A behaviour's steps in the clip's time, those that lie within it."""
    out = []
    for step in steps:
        lift, land = (float(at) for at in np.interp([step.lift, step.land], clock, time))
        if start - 0.1 <= lift and land <= end + 0.1 and 0.26 < land - lift < 1.5:
            height = step.height * min(1.0, (land - lift) / 0.45)  # a hasty foot stays low
            out.append(Step(step.side, lift, land, height))
    return out


def _portrait_tracks(seed: int, time: Array) -> Made:
    spans = _windows(seed, time, 1.0, 2.4)
    joins = stream("joins", seed).uniform(0.45, 0.8, len(spans) + 1)
    shares = {name: share for name, (_, share, _) in HEADS.items()}
    with_hands = stream("hands", seed).random() < 0.5
    tracks = still(time)
    played, talking = [], []
    before = ""
    for i, (start, end) in enumerate(spans):
        name = before = _draw(seed, i, shares, before)
        clock, tempo, pause = _clock(seed, i, time, start, end)
        make, _, talks = HEADS[name]
        head = make(stream("behaviour", seed, i), clock, float(np.interp(end, time, clock)))
        share = _blend(time, spans, joins, i)
        tracks["head"] += share[:, None] * head
        played.append(Played(name, round(start, 3), round(end, 3), tempo, pause, {}))
        if talks:
            talking.append((start, end))
        if talks and with_hands:
            length = float(np.interp(end, time, clock))
            scene = Scene(clock, length, tempo, stream("behaviour", seed, i, 1), still(time))
            act("gesture", scene)
            tracks["arms"] += share[:, None, None] * (scene.tracks["arms"] - still(time)["arms"])
    _sway(stream("sway", seed), time, tracks)
    return "portrait", played, tracks, [], talking


def _sway(rng: np.random.Generator, time: Array, tracks: Tracks) -> None:
    """Torso and shoulders of somebody who is filmed close up."""
    sway = drift(rng, time, 8, 3.2)
    size = rng.uniform(0.5, 1.3)
    tracks["spine"] += size * sway[:, :3] * np.array([4, 4, 8])
    tracks["pelvis"][:, 2] += 6 * size * drift(rng, time, 1, 4.5)[:, 0]
    tracks["weight"] += 0.3 * sway[:, 3]
    tracks["shrug"] += np.clip(0.5 * size * sway[:, 4:6] - 0.1, 0, 1)
    tracks["arms"][..., 1] += 4 * sway[:, 6:8]
    if rng.random() < 0.35:  # leans in or back
        at, size = rng.uniform(0.3, 3.0), rng.uniform(-10, 16)
        lean = ease((time - at) / 0.9) * ease((at + rng.uniform(1.5, 3.5) - time) / 0.9)
        tracks["spine"][:, 0] += size * lean
        tracks["head"][:, 0] -= 0.6 * size * lean


def _spots(foot: Array) -> Array:
    """(T, 2, 4) x, y, and cosine and sine of the heading: what blends without a jump."""
    heading = np.radians(foot[..., 2])
    return np.stack([foot[..., 0], foot[..., 1], np.cos(heading), np.sin(heading)], -1)


def _weight(time: Array, wanted: Array, steps: list[Step], fps: float) -> Array:
    """Where the weight rests: on the standing foot in a step, else where the behaviour wants."""
    demand = np.zeros(len(time))
    for step in steps:
        within = ease((time - step.lift + 0.12) / 0.1) * ease((step.land + 0.02 - time) / 0.1)
        demand += (2 * step.side - 1) * within
    demand = 0.8 * smooth(np.clip(demand, -1, 1), 0.16 * fps)
    return smooth(np.clip(wanted, -1, 1) * (1 - demand**2) + demand, 0.06 * fps)


def _follow(tracks: Tracks, face: Face, share: float, fps: float) -> dict[str, Array]:
    """Let the head go after the gaze and the eyes make up for the head; all facial actions."""
    limits = np.array([28.0, 22.0, 52.0])
    late = smooth(face.look, 0.16 * fps)
    own = tracks["head"].copy()
    tracks["head"] = own + share * np.stack([-late[:, 1], 0 * late[:, 0], late[:, 0]], -1)
    tracks["head"] = limits * np.tanh(tracks["head"] / limits)
    # The eyes hold what they look at against quick movements of the head.
    quick = own - smooth(own, 0.3 * fps)
    moved = share * late + 0.8 * np.stack([quick[:, 2], -quick[:, 0]], -1)
    wide = np.array(GAZE_LIMITS)
    gaze = wide * np.tanh((face.look - moved) / wide)
    actions, tracks["eyes"] = gaze_actions(gaze)
    blinking = 1 - face.actions["eyeBlinkLeft"]
    for name in ("eyeWideLeft", "eyeWideRight", "eyeSquintLeft", "eyeSquintRight"):
        if name in face.actions:
            actions[name] = face.actions[name] * blinking  # or closed lids would not meet
    return face.actions | actions
