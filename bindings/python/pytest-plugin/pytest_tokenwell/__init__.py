"""pytest fixtures that run the emulator of MongoDB Atlas. `plugin` contains them, and `Emulator` is what they return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .emulator import Emulator as Emulator
    from .emulator import EmulatorError as EmulatorError

__all__ = ["Emulator", "EmulatorError"]


def __getattr__(name: str) -> Any:
    # pytest imports this package in every run, but few runs use the emulator.
    if name in __all__:
        from . import emulator

        return getattr(emulator, name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
