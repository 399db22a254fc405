"""The demonstration: an unseen rendered person moves like another one, on a new background.

Run with `python3 run.py demo` or `python -m maskmotion.demo`; needs no file but the package, and
no OpenGL.

inputs     what is given, and the truth: small files of the package
rendering  how those files were made
results    what a model makes of the inputs, and how far it is from the truth
pages      demo.mp4 and demo.png
"""
