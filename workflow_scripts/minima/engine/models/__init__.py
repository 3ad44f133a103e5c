"""One module per kind of network. `build(network, shape, outputs)` returns the model that a cell's `network`
section describes, for rows of this shape: of a torch module `ModuleNet.of(make, shape)`
(`minima.engine.networks.module`), where `make()` makes the module with its own initialization, which
`init: {scheme: own}` asks for where the class says OWN_START.

A module may also say: `STACKED`, that many networks are trained together also on a CPU; `FORMS`, the other
coordinates in which they may be trained; `DRAW`, the scheme that draws where the config names none.
"""
