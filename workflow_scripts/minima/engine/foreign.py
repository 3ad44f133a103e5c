"""What modules that are not ours are made and called within, so that they are ours to seed and to
differentiate."""

import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from importlib import invalidate_caches
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """`seeded` lets PyTorch, NumPy and Python draw from this seed within, and then go on as if nothing had
    been drawn. Modules draw on the CPU: no cell depends on the device."""
    pythons = random.getstate()
    before = np.random.get_state()  # noqa: NPY002 modules of users may draw so
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002
            random.setstate(pythons)


@contextmanager
def plain_attention() -> Iterator[None]:
    """`plain_attention` has attention computed by products and softmax, of which PyTorch knows derivatives of
    every order and mode; of its fused kernels it does not."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


class ModuleError(ValueError):
    """`ModuleError` says why a module of the user's own cannot be trained, and what to do."""


def maker(file: Path, name: str, args: Mapping[str, Any]) -> Callable[[], nn.Module]:
    """`maker` returns what makes the module that a class of a file is for these arguments."""
    try:
        with importing_beside(file):
            spec = spec_from_file_location(f"own_{file.stem}", file)
            home = module_from_spec(spec)
            sys.modules[spec.name] = home
            spec.loader.exec_module(home)
    except Exception as error:
        raise ModuleError(f"{file} does not import: {type(error).__name__}: {error}") from error
    cls = getattr(home, name, None)
    if not callable(cls):
        raise ModuleError(f"{file} has no class {name}")

    def make() -> nn.Module:
        try:
            with importing_beside(file):
                module = cls(**deepcopy(dict(args)))
        except Exception as error:
            said = ", ".join(f"{key}={value!r}" for key, value in args.items())
            raise ModuleError(f"{name}({said}) of {file} fails: {type(error).__name__}: {error}") from error
        if not isinstance(module, nn.Module):
            raise ModuleError(f"{name} of {file} is no torch.nn.Module: it makes {type(module).__name__}")
        return module

    return make


@contextmanager
def importing_beside(file: Path) -> Iterator[None]:
    """`importing_beside` lets a user's file import what stands beside it, and forgets these modules, so that
    those of another folder may have the same names. No bytecode is left there."""
    folder, before, writes = str(file.resolve().parent), {*sys.modules}, sys.dont_write_bytecode
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(folder)
        sys.dont_write_bytecode = writes
        for name in {*sys.modules} - before:
            if (getattr(sys.modules[name], "__file__", None) or "").startswith(f"{folder}{os.sep}"):
                del sys.modules[name]
