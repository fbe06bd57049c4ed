"""The composition root: what the supervisor and the control process are made of.

Nothing else in the package chooses an implementation. The media process is small enough to be made where it
is defined (`app.media_process`).
"""
