"""One module per activation φ whose kernels of infinitely wide networks have a closed form, as
gaussians see φ.

`norm(a)` is √E φ(u)² from a = √E u², and `pair(a, b, angle)` the angle of φ(u) and φ(v) and E φ'(u)φ'(v),
from the norms and the angle of u and v.
"""
