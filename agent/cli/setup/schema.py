"""The JSON Schema of agent.toml, with the options of every plugin that is installed here."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from agent import plugins
from agent.config.settings import Settings
from agent.manifest import Outputs, Pre


def schema() -> dict[str, Any]:
    """Make the schema: the settings, and the options of each kind of source, backend, gate and filter."""
    whole = Settings.model_json_schema()
    whole["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    definitions = whole["$defs"]
    definitions["Plugin"] = _one_of("sources", definitions)
    definitions["NamedSource"] = _named(definitions["Plugin"], definitions["NamedSource"])
    definitions["Backend"] = _one_of("backends", definitions)
    for room in ("gates", "filters"):
        definitions["Pipeline"]["properties"][room]["items"] = _one_of(room, definitions)
    definitions["Pipeline"]["properties"]["decoder"] = _any_decoder(definitions)
    definitions["Pipeline"]["properties"]["pre"] = _pre(definitions)
    return whole


def _one_of(room: str, definitions: dict[str, Any]) -> dict[str, Any]:
    kinds = []
    for name in plugins.names(room):
        options = _options(room, name, definitions)
        options["properties"] = {"kind": {"const": name}, **options.get("properties", {})}
        if room != "backends":
            options["required"] = ["kind", *options.get("required", [])]
        kinds.append(options)
    if not kinds:
        return {"not": {}}
    return {"anyOf": kinds} if room == "backends" else {"oneOf": kinds}


def _named(sources: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """Give each kind of source the keys that one with a name has besides."""
    own = {key: value for key, value in named["properties"].items() if key != "kind"}
    kinds = [
        {**one, "properties": {**one["properties"], **own}, "required": [*one["required"], "name"]}
        for one in sources["oneOf"]
    ]
    return {"oneOf": kinds, "description": named["description"]}


def _any_decoder(definitions: dict[str, Any]) -> dict[str, Any]:
    tasks = [_options("decoders", name, definitions) for name in plugins.names("decoders")]
    roles = TypeAdapter(Outputs).json_schema()
    for one in tasks:
        one["properties"] = {**one.get("properties", {}), "outputs": roles}
    return {"anyOf": tasks, "description": "Options of the decoder, over those of the manifest."}


def _pre(definitions: dict[str, Any]) -> dict[str, Any]:
    table = Pre.model_json_schema()
    definitions.update(table.pop("$defs", {}))
    return table


def _options(room: str, name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = plugins.load(room, name).Options.model_json_schema()
    definitions.update(options.pop("$defs", {}))
    options["title"] = name
    return options
