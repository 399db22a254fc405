"""Rendered people with exact ground truth: who, how, where and from where, each from a seed.

body       anny's parametric bodies            skin, hair, clothes   what they look like
figure     all of a person's meshes, posed     person, dressing      who somebody is, put together
motion     what somebody does                  scenery, light        where, and in what light
camera     from where                          render                pictures, by OpenGL
clip       one clip and its truth              dataset, manifest     folders of them
truth      cases that a model is measured with
"""

from maskmotion.synth.people.clip import (
    JOINTS,
    ClipSeeds,
    PeopleClip,
    PeopleRenderer,
    composite,
    shaded,
)

__all__ = ["JOINTS", "ClipSeeds", "PeopleClip", "PeopleRenderer", "composite", "shaded"]
