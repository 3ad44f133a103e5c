"""Questions, each a folder: its grids, its claims and what computes and draws the answers.

study.yaml               title, citation, data, blocks, references, figures
claims.yaml              its register of claims
smoke.yaml, paper.yaml   overlays: the same study smaller and larger, by the `scale` of a config
estimands.py             what its claims ask of its dataset
figures/                 kinds of figures that only it draws
page.md                  the science

A folder needs its study.yaml alone. Those in the folder `studies` of an extension stand beside these.
"""
