"""Data files that ship with the program: YAML, checked against a schema when it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import resources
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Shape = TypeVar("Shape", bound=BaseModel)


class DataError(Exception):
    """A data file contradicts itself; the message names the place. Never retried."""


def read_data(
    package: str, name: str, shape: type[Shape], problems: Callable[[Shape], Iterable[str]], text: str | None = None
) -> Shape:
    """The file `name`.yaml of a package, or another `text` in its place. `problems` tells what a schema cannot say.

    Raises DataError.
    """
    if text is None:
        text = resources.files(package).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    try:
        found = shape.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise DataError(f"{name}: not valid YAML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{name}: {place}: {first['msg']}") from error
    for problem in problems(found):
        raise DataError(f"{name}: {problem}")
    return found
