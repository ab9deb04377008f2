"""The one seam of all front ends: a stack of recurrent layers, and how it is run.

`spec` says what a stack is, `cells` what its cell is. `arguments` checks a call's arguments, `steps` plans which steps
count. `passes` says what a device and a pass are; `processor` and `gpu` are the two devices there are.
"""
