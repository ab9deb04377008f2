"""Named parameters with a gradient beside each: the base of every layer, and of what is made of layers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import files
from .._plain import plain
from . import arguments, kinds
from .mapping import Arrays, matching, write
from .steppers import AnyStepper, Stateless
from .store import Store, closed, stores_of
from .summary import summary

if TYPE_CHECKING:
    from typing_extensions import Self


class Parameters:
    """Holds `parameters` and `grads`, arrays under the same names.

    `backward` adds to the gradients. Parameters are changed by an optimiser's update, by `load_state_dict`, by
    `layer.parameters[name] = array` and in a block of `editing`. Nothing else can change them, as the arrays are
    read-only. So calls may pack weights once, and use them until the next change. (A change behind NumPy's back, by
    ctypes for instance, is not seen.)
    """

    over_time: ClassVar[bool] = False  # whether calls take lengths= and mask=
    carries_state: ClassVar[bool] = False  # whether calls take and return a state as well
    _rng: np.random.Generator | None = None  # what a forward pass draws from
    _store: Store
    _fixed: ClassVar[tuple[str, ...]] = ()  # attributes that arrays and files rely on
    # Of elman's own layers: attributes that are named like the arguments that would make another such layer.
    _options: ClassVar[tuple[str, ...]] = ()
    unsaved: ClassVar[tuple[str, ...]] = ()  # arguments that files leave out
    _kept: dict[str, Any] | str = "it was made by an earlier version"  # the arguments, or why there are none

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        kinds.register(cls)

    def __new__(cls, *args: Any, **options: Any) -> Self:
        bound = arguments.bind(cls, args, options)
        self = super().__new__(cls)
        self._keep(bound)
        return self

    def _keep(self, bound: Mapping[str, Any]) -> None:
        """Keep the arguments of the constructor, before it runs."""
        if self._options and kinds.is_ours(type(self)):
            return
        try:
            self._kept = arguments.saved(type(self), bound)
        except ValueError as error:
            self._kept = str(error)

    def _config(self) -> dict[str, Any]:
        """The arguments that would make another one, as JSON can hold them.

        Raises:
            ValueError: there is one that JSON cannot hold.
        """
        if self._options and kinds.is_ours(type(self)):
            return {name: plain(name, getattr(self, name)) for name in self._options}
        if isinstance(self._kept, str):
            raise ValueError(self._kept)
        return self._kept

    @classmethod
    def _from_config(cls, config: Mapping[str, Any]) -> Self:
        """The reverse of `_config`."""
        return arguments.make(cls, config)

    def __setattr__(self, name: str, value: Any) -> None:
        store = self.__dict__.get("_store")
        if name in self._fixed and store is not None:
            now = getattr(self, name)
            raise AttributeError(
                f"{name}: expected {now!r}, as the layer was made, got {value!r}; make another layer"
            )
        # Users of torch write `layer.weight_hh_l0 = w`, which would change nothing here.
        if store is not None and name in store.values:
            raise AttributeError(f"{name}: expected layer.parameters[{name!r}] = array, got layer.{name} =")
        if name in ("parameters", "grads") and isinstance(getattr(type(self), name, None), property):
            how = (
                "[name] = array, or load_state_dict(arrays)" if name == "parameters" else "[name][:] = array"
            )
            raise AttributeError(
                f"{name}: expected its arrays to be written to, got another mapping; write layer.{name}{how}"
            )
        super().__setattr__(name, value)

    def _hold(
        self, parameters: Mapping[str, np.ndarray], grads: Mapping[str, np.ndarray] | None = None
    ) -> None:
        self._store = store = Store(parameters, grads)
        self._parameters, self._grads = Arrays(store.parameters_seen), Arrays(store.grads_seen)

    @property
    def parameters(self) -> Arrays:
        """The arrays that training changes, by name: read-only; `parameters[name] = array` copies one in.

        Raises:
            RuntimeError: they are being edited.
        """
        self._store.idle()
        return self._parameters

    @property
    def grads(self) -> Arrays:
        """The gradient of each parameter, by the same name; they may be written in place."""
        return self._grads

    def zero_grad(self) -> None:
        """Set every gradient to zero, in place."""
        for grad in self.grads.values():
            grad.fill(0)

    def state_dict(self) -> dict[str, np.ndarray]:
        """A copy of every parameter, by name; torch.from_numpy makes the values torch's."""
        return {name: np.array(value) for name, value in self.parameters.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Copy parameters in, by name (torch's names, so a torch state_dict serves).

        Raises:
            ValueError: a name is missing or unknown, or a shape or dtype differs; then nothing is changed.
        """
        own = self.parameters
        write(own, matching(own, state_dict))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write parameters and constructor arguments to `path`, one safetensors file for `elman.load` (extra: save).

        Raises:
            ValueError: a layer in it is of a class of your own, with an argument that a file cannot hold.
        """
        content = {"layer": kinds.name_of(type(self)), "config": self._config()}
        files.write(path, content, self.parameters, "saving a layer")

    def summary(self) -> str:
        """A table of text: the layers in it, the shapes they read and give, their parameters and bytes."""
        return summary(self)

    def _shapes(self) -> str:
        """What a call reads and gives, in letters and numbers."""
        return ""

    @contextlib.contextmanager
    def editing(self) -> Iterator[dict[str, np.ndarray]]:
        """Change parameters in place: `with layer.editing() as parameters: parameters["weight"][3] = 0`.

        The block gets writeable copies, by name. They become the layer's when the block ends; after an exception
        nothing is changed. Within the block the layer refuses to be used.

        Raises:
            ValueError: at the end of the block: a name is missing or unknown, or a shape or dtype differs.
            RuntimeError: a block is open already, in this thread or another.
        """
        own = self.parameters
        with closed(stores_of(own.values())):
            copies = {name: np.array(value) for name, value in own.items()}
            yield copies
            edited = matching(own, copies)
        write(own, edited)

    def __call__(self, x: Any, *args: Any, **options: Any) -> Any:
        """What the layer makes of x, keeping nothing; `args` and `options` are the layer's own.

        Raises:
            ValueError: an argument has the wrong shape, type or value.
        """
        raise NotImplementedError

    def forward(self, x: Any, *args: Any, **options: Any) -> Any:
        """What a call gives for x, `args` and `options`, and at the end of the tuple `backward`.

        `backward` takes the gradient of the result, adds to `grads` and returns the gradient of x.

        Raises:
            ValueError: an argument has the wrong shape, type or value.
        """
        raise NotImplementedError

    def apply(self, x: Any, *args: Any, keep: bool, **options: Any) -> tuple[Any, ...]:
        """What `forward` gives for x, `args` and `options`, if `keep`. Otherwise what a call gives, with None as
        `backward`.

        So a model says only once how its layers follow each other, for training and for inference.
        """
        if keep:
            return self.forward(x, *args, **options)
        result = self(x, *args, **options)
        return (*result, None) if self.carries_state else (result, None)

    def stepper(self, batch_size: int) -> AnyStepper:
        """What does this layer's work one step at a time, for `batch_size` streams. That is the layer itself if no step
        matters to another."""
        return Stateless(self)

    def random_state(self) -> dict[str, Any]:
        """Where the random streams of dropout stand, as JSON can hold it."""
        return {} if self._rng is None else dict(self._rng.bit_generator.state)

    def set_random_state(self, state: Mapping[str, Any]) -> None:
        """Go on drawing from where `random_state` gave this `state`."""
        if self._rng is not None:
            self._rng.bit_generator.state = dict(state)

    def __getstate__(self) -> dict[str, Any]:
        # Only the arrays: locks and views are made again, and packed weights suit one processor.
        state = self.__dict__.copy()
        store = state.pop("_store", None)
        if store is not None:
            with store.lock:
                store.idle()
                for kind, own in (("_parameters", store.values), ("_grads", store.grads)):
                    state[kind] = {name: value.copy() for name, value in own.items()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        parameters, grads = state.pop("_parameters", None), state.pop("_grads", None)
        self.__dict__.update(state)
        if parameters is not None:
            self._hold(parameters, grads)


class Composite(Parameters):
    """A layer made of layers. Its parameters are theirs, named `part.parameter`.

    `copy.copy` shares the parts, `copy.deepcopy` copies them. In a backward pass one part after the other adds its
    gradients. If an exception from a signal handler ends it early, only some have: call `zero_grad` then.
    """

    parts: dict[str, Parameters]

    def _config(self) -> dict[str, Any]:
        # One of a class without a constructor is known by its parts.
        return super()._config() if constructs(type(self)) else arguments.described(self.parts)

    @classmethod
    def _from_config(cls, config: Mapping[str, Any]) -> Self:
        if constructs(cls):
            return super()._from_config(config)
        made = cls()
        made.parts = arguments.made_of(dict(config))
        return made

    def __getitem__(self, path: str) -> Parameters:
        """The part at a path of names: `model["network.head"]` is `model.parts["network"].parts["head"]`.

        Raises:
            KeyError: there is none.
        """
        if not isinstance(path, str):
            raise TypeError(f"path: expected text as 'network.head', got {path!r}")
        name, _, rest = path.partition(".")
        part = self.parts.get(name)
        if part is None or (rest and not isinstance(part, Composite)):
            where = f"one of {', '.join(self.parts)}" if part is None else f"no parts within {name!r}"
            raise KeyError(f"path: expected {where}, got {path!r}")
        return part[rest] if rest and isinstance(part, Composite) else part

    @property
    def parameters(self) -> Arrays:
        return Arrays(
            {f"{k}.{name}": v for k, part in self.parts.items() for name, v in part.parameters.items()}
        )

    @property
    def grads(self) -> Arrays:
        return Arrays({f"{k}.{name}": v for k, part in self.parts.items() for name, v in part.grads.items()})

    def zero_grad(self) -> None:
        for part in self.parts.values():
            part.zero_grad()

    def random_state(self) -> dict[str, Any]:
        return {name: part.random_state() for name, part in self.parts.items()}

    def set_random_state(self, state: Mapping[str, Any]) -> None:
        for name, part in self.parts.items():
            part.set_random_state(state[name])


def constructs(kind: Any) -> bool:
    """Whether a class has a constructor."""
    return kind.__init__ is not object.__init__
