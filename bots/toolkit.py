"""A bot's tools: plain async functions in, a checked and timed Pipecat tool set out."""

from __future__ import annotations

import asyncio
import inspect
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

from loguru import logger
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, create_model

if TYPE_CHECKING:
    from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.services.llm_service import FunctionCallParams, LLMService

TIME_LIMIT_SECS = 5.0
"""How long a tool may run before the caller is told that it did not work."""
_TOO_SLOW = "Sorry, that is taking too long. Please try again in a moment."
_FAILED = "Sorry, I cannot look that up right now."
_UNCLEAR = "Sorry, could you say that another way?"
_ARGUMENT_LINE = re.compile(r"^    (\w+)(?: \([^)]*\))?:\s*(.+)$")


@dataclass(frozen=True)
class ToolReply:
    """What a tool found or did."""

    say: str
    """A ready sentence for the caller."""
    data: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """The same for a model that finds its own words."""


ToolFunction = Callable[..., Awaitable[ToolReply]]
"""An async function with typed parameters and a Google docstring."""

_HEARD = object()
Heard = Annotated[tuple[str, ...], _HEARD]
"""Type of a parameter that is given what the caller said in this call, newest last.

No model fills it in: a tool checks with it that a name was spoken and not made up.
"""


@dataclass(frozen=True)
class ToolResult:
    """What became of one tool call."""

    name: str
    arguments: dict[str, JsonValue]
    say: str
    data: dict[str, JsonValue]
    took_ms: int
    ok: bool
    """False for arguments that do not fit, a tool that failed, and one that took too long."""


class Tool:
    """One function, with the schema that its signature and docstring describe."""

    def __init__(self, function: ToolFunction) -> None:
        self.name: str = getattr(function, "__name__", "")
        self._function = function
        doc = inspect.getdoc(function) or ""
        self.description = doc.split("\n\n")[0].replace("\n", " ")
        self._model = _arguments_model(function, _argument_docs(doc))
        self._heard = _heard_parameters(function)

    def parameters(self) -> dict[str, Any]:
        """JSON schema of the arguments, as small as it can be said."""
        schema = self._model.model_json_schema()
        properties = {
            name: {key: value for key, value in described.items() if key != "title"}
            for name, described in schema.get("properties", {}).items()
        }
        return {
            "type": "object",
            "properties": properties,
            "required": schema.get("required", []),
        }

    def schema(self) -> dict[str, Any]:
        """The tool as the OpenAI API describes one."""
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters(),
        }
        return {"type": "function", "function": function}

    async def run(
        self,
        arguments: Mapping[str, Any],
        *,
        heard: Sequence[str] = (),
        limit_secs: float = TIME_LIMIT_SECS,
    ) -> ToolResult:
        """Check the arguments and run the function within `limit_secs`; what fails is a result.

        Args:
            arguments: As the model gave them.
            heard: What the caller said in this call.
            limit_secs: How long the function may take.
        """
        started = time.monotonic()
        reply, ok = await self._reply(arguments, tuple(heard), limit_secs)
        return ToolResult(
            name=self.name,
            arguments=dict(arguments),
            say=reply.say,
            data=reply.data,
            took_ms=round((time.monotonic() - started) * 1000),
            ok=ok,
        )

    async def _reply(
        self, arguments: Mapping[str, Any], heard: tuple[str, ...], limit_secs: float
    ) -> tuple[ToolReply, bool]:
        try:
            checked = self._model.model_validate(arguments)
        except ValidationError as error:
            return _bad_arguments(self.name, error), False
        values = {name: getattr(checked, name) for name in type(checked).model_fields}
        values |= dict.fromkeys(self._heard, heard)
        try:
            async with asyncio.timeout(limit_secs):
                # A bot's own code may raise anything; gathered, that is a value like another.
                [outcome] = await asyncio.gather(self._function(**values), return_exceptions=True)
        except TimeoutError:
            logger.warning("The tool {} took longer than {} s", self.name, limit_secs)
            error = f"{self.name} did not answer within {limit_secs:g} seconds."
            return ToolReply(_TOO_SLOW, {"error": error}), False
        if isinstance(outcome, ToolReply):
            return outcome, True
        logger.opt(exception=outcome).error("The tool {} failed", self.name)
        return ToolReply(_FAILED, {"error": f"{self.name} failed and returned no result."}), False


def tool_schemas(functions: Sequence[ToolFunction]) -> list[dict[str, Any]]:
    """The tools as the OpenAI API describes them; imports nothing heavy."""
    return [Tool(function).schema() for function in functions]


def register(
    llm: LLMService[Any],
    functions: Sequence[ToolFunction],
    *,
    speak: Callable[[str], Awaitable[None]] | None,
    on_called: Callable[[ToolResult], Awaitable[None]],
    unspoken: int = 0,
) -> ToolsSchema:
    """Let `llm` call `functions`; the tool set that is returned goes into the `LLMContext`.

    Args:
        llm: The service that makes the calls.
        functions: The bot's tools.
        speak: Says a tool's sentence to the caller as it stands, and no second inference runs;
            None hands the result to the model, which answers in its own words.
        on_called: Told of each call when it is over.
        unspoken: How many messages at the head of the context nobody said: the examples.
    """
    from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
    from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema

    schemas: list[FunctionSchema | Any] = []
    for tool in map(Tool, functions):
        parameters = tool.parameters()
        handler = _handler(tool, speak=speak, on_called=on_called, unspoken=unspoken)
        llm.register_function(tool.name, handler)
        schemas.append(
            FunctionSchema(
                name=tool.name,
                description=tool.description,
                properties=parameters["properties"],
                required=parameters["required"],
            )
        )
    return ToolsSchema(standard_tools=schemas)


def _handler(
    tool: Tool,
    *,
    speak: Callable[[str], Awaitable[None]] | None,
    on_called: Callable[[ToolResult], Awaitable[None]],
    unspoken: int,
) -> Callable[[FunctionCallParams], Awaitable[None]]:
    async def handle(params: FunctionCallParams) -> None:
        from pipecat.frames.frames import FunctionCallResultProperties

        result = await tool.run(params.arguments, heard=_heard(params.context, unspoken))
        told = FunctionCallResultProperties(run_llm=speak is None)
        await params.result_callback({"say": result.say, **result.data}, properties=told)
        if speak is not None:
            await speak(result.say)
        await on_called(result)

    return handle


def _heard(context: LLMContext, unspoken: int) -> list[str]:
    from pipecat.processors.aggregators.llm_context import standard_message_text

    return [
        standard_message_text(message)
        for message in context.messages[unspoken:]
        if isinstance(message, dict) and message["role"] == "user"
    ]


def _heard_parameters(function: ToolFunction) -> list[str]:
    hints = get_type_hints(function, include_extras=True)
    return [name for name, hint in hints.items() if _HEARD in get_args(hint)]


def _arguments_model(function: ToolFunction, docs: Mapping[str, str]) -> type[BaseModel]:
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if _HEARD in get_args(hints[name]):
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[name] = (hints[name], Field(default, description=docs.get(name)))
    config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    return create_model("Arguments", __config__=config, **fields)


def _argument_docs(doc: str) -> dict[str, str]:
    """What a Google docstring says of each argument, continued lines joined."""
    _, _, section = doc.partition("Args:\n")
    docs: dict[str, str] = {}
    name = ""
    for line in section.split("\n\n")[0].splitlines():
        if found := _ARGUMENT_LINE.match(line):
            name, docs[found.group(1)] = found.groups()
        elif name:
            docs[name] += f" {line.strip()}"
    return docs


def _bad_arguments(name: str, error: ValidationError) -> ToolReply:
    first = error.errors(include_url=False)[0]
    argument = ".".join(str(part) for part in first["loc"])
    message = f"{name}: the argument {argument!r} cannot be used: {first['msg']}."
    return ToolReply(_UNCLEAR, {"error": message})
