"""The reference of the components: every key of a declaration, as the schema has it that `dg` gives to editors."""

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

import ml_assets

#: What Dagster's schema says of a default that is no plain value.
_UNSET = "__DAGSTER_UNSET_DEFAULT__"
_TYPES = {
    "string": "text",
    "boolean": "true or false",
    "integer": "whole number",
    "number": "number",
    "null": "null",
    "object": "keys",
}
_BEGINNING = """# Components

What a `defs.yaml` may say. [Your model](../docs/your-model.md) shows event logs and models as one
writes them. A key without a default is required.
"""


def components() -> dict[str, type[dg.Component]]:
    """Every component that the package gives to Dagster, by the name under which a defs.yaml asks for it."""
    found = {name: getattr(ml_assets, name) for name in dir(ml_assets)}
    return {name: one for name, one in found.items() if inspect.isclass(one) and issubclass(one, dg.Component)}


def components_page() -> str:
    """The page, in Markdown."""
    return "\n".join([_BEGINNING, *(line for name, one in components().items() for line in _component(name, one))])


def _component(name: str, component: type[dg.Component]) -> Iterator[str]:
    model = component.get_model_cls()
    if model is None:
        raise TypeError(f"{name} has no attributes that a defs.yaml could give")
    yield from (f"## {name}", "", inspect.cleandoc(component.__doc__ or ""), "")
    yield from (f"```yaml\ntype: {ml_assets.__name__}.{name}\nattributes:\n  …\n```", "")
    yield from _keys(name, "", model.model_json_schema())


def _keys(component: str, path: str, schema: Mapping[str, Any]) -> Iterator[str]:
    """A table of the keys of a group, and below it those of the groups in it."""
    keys = schema["properties"]
    order = {key: at for at, key in enumerate(schema.get("ui:order", keys))}
    yield from ("| key | | value | default |", "|---|---|---|---|")
    for key in sorted(keys, key=order.__getitem__):
        value = _value(keys[key], _anchor(component, f"{path}{key}"))
        cells = (f"`{key}`", _described(component, path, key, keys[key]), value, _default(schema, key))
        yield f"| {' | '.join(cells)} |"
    yield ""
    for key in sorted((one for one in keys if "keys" in keys[one]), key=order.__getitem__):
        below = keys[key]["keys"]
        anchor = f"{{ #{_anchor(component, f'{path}{key}')} }}"
        yield from (f"### `{path}{key}` {anchor}", "", inspect.cleandoc(below["description"]), "")
        yield from _keys(component, f"{path}{key}.", below)


def _anchor(component: str, path: str) -> str:
    return f"{component}.{path}".lower()


def _described(component: str, path: str, key: str, of: Mapping[str, Any]) -> str:
    text: str = of.get("description", "")
    if not text:
        raise TypeError(f"{component} does not say what its key {path}{key} means")
    return text.replace("|", "\\|")


def _value(of: Mapping[str, Any], anchor: str) -> str:
    if "keys" not in of:
        return _kind(of)
    is_list = "array" in [one.get("type") for one in (of, *of.get("anyOf", ()))]
    return f"{'list of ' if is_list else ''}[keys](#{anchor})"


def _kind(of: Mapping[str, Any]) -> str:
    if "kind" in of:
        return str(of["kind"])
    if "enum" in of:
        return ", ".join(f"`{one}`" for one in of["enum"])
    if "anyOf" in of:
        kinds = [_kind(one) for one in of["anyOf"]]
        # That there may be none is told by the default; text that Dagster adds is a template of the value.
        told = {"", "null", "whole number" if "number" in kinds else "", "text" if kinds[0] != "text" else ""}
        return " or ".join(kind for kind in dict.fromkeys(kinds) if kind not in told)
    if of.get("type") == "array":
        return f"list of {_kind(of['items']) or 'values'}"
    return _TYPES.get(of.get("type", ""), "")


def _default(schema: Mapping[str, Any], key: str) -> str:
    if key in schema.get("required", ()):
        return ""
    default = schema["properties"][key].get("default", _UNSET)
    if default in (None, "", _UNSET):
        return "none"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"
