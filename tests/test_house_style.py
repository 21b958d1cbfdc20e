"""The house style, as far as a program can tell: sizes, names, words, what is committed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
PACKAGES = ("api", "bots", "evals", "hosts", "pipelines", "processors", "providers", "records")
KINDS = ("llm", "stt", "tts")
CATEGORIES = {"unit", "integration", "browser", "live"}

FILE_LINES = 400
FUNCTION_LINES = 40
PROVIDER_LINES = 120
NESTING = 3
COMMITTED_BYTES = 1_000_000

# Modules without a test file of their own noun, under the test that runs them as they are used.
TESTED_ELSEWHERE: dict[str, set[str]] = {
    # A browser's call over HTTP and WebRTC, from the request to the record.
    "tests/api/test_calls.py": {
        "api/catalog.py",
        "api/errors.py",
        "api/limits.py",
        "pipelines/turns.py",
        "providers/llm/_simulated_service.py",
        "providers/llm/simulated.py",
        "providers/stt/_simulated_service.py",
        "providers/stt/simulated.py",
        "providers/tts/_simulated_service.py",
        "providers/tts/simulated.py",
    },
    # A call's process, from the outside.
    "tests/browser/test_page.py": {"evals/bench_page.py"},
    # The fork server and its children, as whoever wants a process for a call sees them.
    "tests/hosts/test_nursery.py": {"hosts/offspring.py"},
    "tests/pipelines/test_config.py": {"providers/base.py", "providers/kinds.py"},
    "tests/providers/test_local_speech.py": {"providers/stt/moonshine.py"},
    "tests/records/test_metrics.py": {"records/levels.py"},
    # The benches are these commands in a loop.
    "tests/evals/test_call.py": {"evals/bench_call.py"},
    "tests/evals/test_bench_density.py": {
        "evals/callers.py",
        "evals/callers_socket.py",
        "evals/density_fleet.py",
        "evals/density_host.py",
        "evals/density_one.py",
        "evals/density_procs.py",
        "evals/density_spawn.py",
        "evals/density_vendors.py",
    },
    "tests/evals/test_bench_soak.py": {"evals/soak_census.py"},
    "tests/evals/test_bench_latency.py": {
        "evals/latency_bars.py",
        "evals/latency_baseline.py",
        "evals/latency_caller.py",
        "evals/latency_cells.py",
        "evals/latency_trace.py",
        "evals/latency_truth.py",
        "evals/latency_turns.py",
    },
    # A call from its first event to its last.
    "tests/bots/test_call.py": {"bots/assembly.py"},
    "tests/evals/test_check.py": {"evals/live_check.py"},
    # A host with all that it tells, and a server that is killed, drained and started again.
    "tests/hosts/test_host.py": {"hosts/watch.py"},
    "tests/hosts/test_deaths.py": {"hosts/drain_wait.py"},
    "tests/hosts/test_sidecars.py": {"hosts/sidecar_process.py"},
    "tests/test_server.py": {"api/listening.py", "api/settings.py"},
}

VAGUE_NAMES = {"common", "core", "helper", "helpers", "manager", "misc", "util", "utils"}
LEFTOVERS = r"\b(TODO|FIXME|XXX|HACK)\b|\b(previously|formerly|refactored|for now)\b"
SALES_TALK = r"\b(blazing|seamless(ly)?|cutting-edge|state-of-the-art|effortless(ly)?)\b"
# What Pipecat has renamed or ignores in silence.
OLD_PIPECAT = (
    r"\b(PipelineTask|PipelineRunner|allow_interruptions|OpenAILLMContext"
    r"|AudioContextTTSService|AudioContextWordTTSService)\b"
)

# Each in two parts, so that this file does not hold what it looks for.
ADDRESSES = ("pypi." + "org", "python" + "hosted", "registry." + "npmjs", "deb." + "debian.org")
MACHINE_PATHS = ("/ro" + "ot/", "/wo" + "rk/", "/ho" + "me/")
BINARY_SUFFIXES = {
    ".bin", ".flac", ".gguf", ".mp3", ".ogg", ".onnx", ".opus", ".ort", ".pt", ".raw",
    ".safetensors", ".wav", ".whl",
}  # fmt: skip

CODE = ("*.py", "*.ts", "*.tsx", "*.css")
HEAVY = (
    "aiortc", "av", "fastapi", "moonshine_voice", "onnxruntime", "openai", "pipecat", "piper",
    "xllamacpp",
)  # fmt: skip

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = Function | ast.ClassDef
Block = ast.If | ast.For | ast.AsyncFor | ast.While | ast.Try | ast.Match


def _committed(*patterns: str) -> list[Path]:
    """Files that are in the repository or would be after `git add`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
    listing = subprocess.run(
        [*command, *patterns], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    paths = [ROOT / name for name in sorted(set(listing.split("\0")) - {""})]
    return [path for path in paths if path.is_file()]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _longer_than(limit: int, *patterns: str) -> dict[str, int]:
    lengths = {_name(path): len(_text(path).splitlines()) for path in _committed(*patterns)}
    return {name: lines for name, lines in lengths.items() if lines > limit}


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for path in _committed("*.py"):
        yield _name(path), ast.parse(_text(path))


def _functions() -> Iterator[tuple[str, Function]]:
    """Every function, each under `file:name`."""
    for name, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, Function):
                yield f"{name}:{node.name}", node


def _height(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _lines(function: Function) -> int:
    """Lines from `def` to the end, without the docstring."""
    documented = ast.get_docstring(function, clean=False) is not None
    return _height(function) - (_height(function.body[0]) if documented else 0)


def _depth(node: ast.AST) -> int:
    """Deepest nesting of blocks inside `node`; an `elif` is as deep as its `if`."""
    deepest = 0
    for name, value in ast.iter_fields(node):
        children = cast("list[object]", value) if isinstance(value, list) else [value]
        may_be_elif = isinstance(node, ast.If) and name == "orelse" and len(children) == 1
        for child in children:
            if isinstance(child, ast.AST) and not isinstance(child, Scope):
                is_elif = may_be_elif and isinstance(child, ast.If)
                level = isinstance(child, Block) and not is_elif
                deepest = max(deepest, level + _depth(child))
    return deepest


def _prose(path: Path) -> str:
    """The comments and docstrings of a Python file, the whole of any other."""
    text = _text(path)
    if path.suffix != ".py":
        return text
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Module | Scope)]
    docstrings = [ast.get_docstring(node) or "" for node in nodes]
    comments = [found.group() for found in re.finditer(r"(^|\s)#.*", text)]
    return "\n".join(docstrings + comments)


def _imports(tree: ast.Module) -> set[str]:
    """Dotted names that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_no_vendor_imports_another() -> None:
    """What two vendors share lies in a module whose name begins with an underscore."""
    vendor = re.compile(r"providers\.(?:llm|stt|tts)\.[a-z]\w*$")
    folders = tuple(f"providers/{kind}/" for kind in KINDS)
    found = {n: _imports(t) for n, t in _trees() if n.startswith(folders)}
    assert {
        n: hits for n, names in found.items() if (hits := set(filter(vendor.match, names)))
    } == {}


def test_files_are_short() -> None:
    assert _longer_than(FILE_LINES, *CODE) == {}


def test_provider_files_are_shorter_still() -> None:
    """A provider file is one that a preset can name."""
    long = _longer_than(PROVIDER_LINES, *(f"providers/{kind}/*.py" for kind in KINDS))
    assert [name for name in long if "provider: Literal[" in _text(ROOT / name)] == []


def test_functions_are_short() -> None:
    lengths = {name: _lines(function) for name, function in _functions()}
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def test_functions_are_flat() -> None:
    depths = {name: _depth(function) for name, function in _functions()}
    assert {name: depth for name, depth in depths.items() if depth > NESTING} == {}


def test_from_the_fourth_argument_on_they_are_named() -> None:
    def positional(function: Function) -> int:
        arguments = function.args.posonlyargs + function.args.args
        return len([a for a in arguments if a.arg not in {"self", "cls"}])

    ours = {n: f for n, f in _functions() if not n.startswith("tests/") and n[-2:] != "__"}
    assert [name for name, function in ours.items() if positional(function) > 3] == []


def test_importing_a_module_does_nothing() -> None:
    """A bare call at module level is an effect of importing it."""
    found = [
        f"{name}:{node.lineno}"
        for name, tree in _trees()
        for node in tree.body
        if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
    ]
    assert found == []


def _categories(tree: ast.Module) -> list[str]:
    """Categories that a test module's `pytestmark` names."""
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    marks = [node for node in assigned if ast.unparse(node.targets[0]) == "pytestmark"]
    attributes = [n for mark in marks for n in ast.walk(mark.value) if isinstance(n, ast.Attribute)]
    return [node.attr for node in attributes if node.attr in CATEGORIES]


def test_each_test_module_has_one_category() -> None:
    modules = [(name, tree) for name, tree in _trees() if Path(name).name.startswith("test_")]
    found = {name: _categories(tree) for name, tree in modules}
    assert {name: marks for name, marks in found.items() if len(marks) != 1} == {}


def _noun(path: Path) -> tuple[str, str]:
    """Package and noun of a module or of its test; a service is tested by its provider's noun."""
    noun = path.stem.removeprefix("test_").removeprefix("_").removesuffix("_service")
    return path.relative_to(ROOT).parts[path.is_relative_to(ROOT / "tests")], noun


def test_each_module_has_a_test_of_the_same_noun() -> None:
    modules = _committed(*(f"{package}/*.py" for package in PACKAGES))
    tested = {_noun(path) for path in _committed("tests/*/test_*.py")}
    rest = {path for path in modules if path.name != "__init__.py" and _noun(path) not in tested}
    assert {_name(path) for path in rest} == set().union(*TESTED_ELSEWHERE.values())
    assert [test for test in TESTED_ELSEWHERE if not (ROOT / test).is_file()] == []


def test_a_file_name_says_something() -> None:
    assert [_name(path) for path in _committed(*CODE) if path.stem in VAGUE_NAMES] == []


def test_prose_tells_the_present() -> None:
    texts = {
        _name(path): _prose(path)
        for path in _committed(*CODE, "*.md", "*.toml", "*.sh", "Makefile")
        if path != Path(__file__) and path.name != "CHANGELOG.md"
    }
    pattern = re.compile(f"{LEFTOVERS}|(?i:{SALES_TALK})")
    found = {name: hit.group() for name, text in texts.items() if (hit := pattern.search(text))}
    assert found == {}


def test_pipecat_is_called_by_the_names_of_today() -> None:
    ours = [path for path in _committed("*.py") if path != Path(__file__)]
    assert [_name(path) for path in ours if re.search(OLD_PIPECAT, _text(path))] == []


def test_nothing_committed_is_bound_to_a_machine() -> None:
    """Neither the address of a package index nor a path of somebody's machine."""
    contents = {_name(path): path.read_bytes() for path in _committed()}
    words = [word.encode() for word in ADDRESSES + MACHINE_PATHS]
    assert [(name, word) for name, c in contents.items() for word in words if word in c] == []


def test_no_weights_and_no_recordings_are_committed() -> None:
    found = [
        _name(path)
        for path in _committed()
        if path.suffix in BINARY_SUFFIXES or path.stat().st_size > COMMITTED_BYTES
    ]
    assert found == []


def test_locked_requirements_carry_hashes_and_no_address() -> None:
    hashed = re.compile(r"^[a-z0-9].*==.*\\\n +--hash=sha256:[0-9a-f]{64}", re.MULTILINE)
    for path in _committed("requirements/*.txt"):
        text = _text(path)
        lines = [line for line in text.splitlines() if line and line[0] not in " #"]
        assert 0 < len(lines) == len(hashed.findall(text)), _name(path)
        assert "://" not in text, _name(path)


def test_the_wheel_takes_what_exists() -> None:
    hatch = tomllib.loads(_text(ROOT / "pyproject.toml"))["tool"]["hatch"]["build"]
    names = set(hatch["targets"]["wheel"]["only-include"]) - {"client/dist"}
    assert {name for name in names if not (ROOT / name).exists()} == set()
    assert set(PACKAGES) <= names


def _defines(path: Path, symbol: str) -> bool:
    """Whether a Python module defines `name`, or `Class.member`, at the top."""
    body: list[ast.stmt] = ast.parse(_text(path)).body
    for part in symbol.split("."):
        found = [node for node in body if part in _names(node)]
        if not found:
            return False
        body = found[0].body if isinstance(found[0], ast.ClassDef) else []
    return True


def _names(node: ast.stmt) -> set[str]:
    """What a statement defines."""
    if isinstance(node, Scope):
        return {node.name}
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def test_what_the_tour_names_exists() -> None:
    """A code span `path.py`, `path.py:Class.member` or `folder/` in the tour is a promise."""
    tour = _text(ROOT / "docs" / "tour.md")
    span = re.compile(r"`([\w./-]+\.(?:py|toml|md|tsx?|css)|[\w./-]+/)(?::([\w.]+))?`")
    promises = cast("list[tuple[str, str]]", span.findall(tour))
    assert promises
    assert [path for path, _ in promises if not (ROOT / path).exists()] == []
    symbols = [(path, symbol) for path, symbol in promises if symbol]
    assert [pair for pair in symbols if not _defines(ROOT / pair[0], pair[1])] == []


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import pipelines.config", id="configuration"),
        pytest.param("import server; server.main(['--help'])", id="help"),
        pytest.param("import server; server.main(['check'])", id="check"),
    ],
)
def test_what_must_be_quick_loads_nothing_heavy(code: str) -> None:
    """Pipecat alone takes seconds to import."""
    script = (
        "import sys\n"
        f"try: {code}\n"
        "except SystemExit: pass\n"
        f"print('loaded:', *sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert run.stdout.splitlines()[-1] == "loaded:"
