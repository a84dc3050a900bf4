"""Turns each field of a recipe into a command-line option. ``trainer.recipe`` declares them."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from trainer.recipe import Recipe


def with_recipe_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of a recipe.

    The command receives them as ``**overrides``, which contains only the options given on the
    command line.
    """

    def run(**options: Any) -> None:  # noqa: ANN401
        for name in Recipe.model_fields:
            if options[name] is None:
                del options[name]
        command(**options)

    own = [
        parameter
        for parameter in inspect.signature(command, eval_str=True).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    keyword_only = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    parameters = keyword_only + _recipe_parameters()
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _recipe_parameters() -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                field.annotation | None,  # type: ignore[operator]
                typer.Option(help=field.description, rich_help_panel="Recipe", show_default=False),
            ],
        )
        for name, field in Recipe.model_fields.items()
    ]
