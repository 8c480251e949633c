"""Which module may know which, and what must not be in any of them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
CORE, FLASK, DJANGO = PACKAGES = ("iron_wsgi", "iron_wsgi_flask", "iron_wsgi_django")

# The house, from the ground up: each may import what stands on a lower floor.
FLOORS: Final = (
    "errors",
    "times",
    "cookies",
    "servers",
    "stores",
    "revocation",
    "seals",
    "sessions",
    "vaults",
    "engine",
    "wsgi",
    "__init__",
    ("cli", "testing"),
    "__main__",
)

# What Flask's and Django's clients must do without.
NOT_FOR_CLIENTS: Final = ("wsgi.response", "wsgi.middleware", "cli.commands", "testing")

OUTSIDE: Final = {
    CORE: {"cryptography", "werkzeug"},
    FLASK: {"flask", "werkzeug", "blinker", "click", "itsdangerous"},  # the last three are Flask's own
    DJANGO: {"django", "asgiref", "pytest"},  # asgiref is Django's own; pytest is there where its plugin is
}
# The clients of servers that not everybody has are for these modules alone.
EXTRAS: Final = {
    "servers.database": {"sqlalchemy"},
    "stores.sql": {"sqlalchemy"},
    "revocation.sql": {"sqlalchemy"},
    "servers.redis_link": {"redis"},
    "stores.redis": {"redis"},
}
FOR_TYPES_OUTSIDE: Final = {"typing_extensions", "_typeshed"}

BANNED: Final = {"random", "pickle", "uuid", "marshal", "shelve", "http.cookies"}


@dataclass(frozen=True)
class Import:
    module: str  # as it is imported: "werkzeug.http", "iron_wsgi.seals.seal"
    for_types: bool
    line: int

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


def _sources(*packages: str) -> dict[str, Path]:
    """Every module by its dotted name; a package is named `package.__init__`."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def _walk(node: ast.AST, *, for_types: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        inside = for_types
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            inside = for_types or child in node.body
        yield child, inside
        yield from _walk(child, for_types=inside)


def _defined_in(name: str) -> str:
    """The module that a name of `iron_wsgi` comes from."""
    tree = ast.parse((ROOT / CORE / "__init__.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and name in {alias.asname or alias.name for alias in node.names}:
            return f"{CORE}.{node.module}"
    return f"{CORE}.{name}"


def _submodule(package: str, name: str) -> str:
    is_module = (ROOT / package.replace(".", "/") / f"{name}.py").is_file()
    return f"{package}.{name}" if is_module else package


def _imports(module: str, path: Path) -> Iterator[Import]:
    package = module.rpartition(".")[0]
    for node, for_types in _walk(ast.parse(path.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                origin = ".".join(filter(None, [package.rsplit(".", node.level - 1)[0], origin]))
            names = [origin]
            if origin == CORE:
                names = [_defined_in(alias.name) for alias in node.names]
            elif (ROOT / origin.replace(".", "/") / "__init__.py").is_file() and origin.count(".") == 1:
                # A submodule, or a name that the package's own `__init__` holds.
                names = [_submodule(origin, alias.name) for alias in node.names]
            elif origin in PACKAGES or origin == "http":
                names = [f"{origin}.{alias.name}" for alias in node.names]
        for name in names:
            yield Import(name, for_types, node.lineno)


def _named(module: str, modules: Collection[str]) -> str:
    """The module of that name; of a package its `__init__`."""
    return f"{module}.__init__" if f"{module}.__init__" in modules else module


def _all_imports() -> dict[str, list[Import]]:
    sources = _sources(*PACKAGES)
    return {
        module: [replace(one, module=_named(one.module, sources)) for one in _imports(module, path)]
        for module, path in sources.items()
    }


ALL: Final = _all_imports()


def _room(module: str) -> str:
    """The folder of a module of the core, or its own name where it stands beside the folders."""
    return module.removeprefix(f"{CORE}.").partition(".")[0]


def _floor(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room == rooms or room in rooms)


def test_every_room_of_the_core_stands_on_one_floor() -> None:
    rooms = {_room(module) for module in _sources(CORE)}
    floors = [room for rooms in FLOORS for room in ((rooms,) if isinstance(rooms, str) else rooms)]
    assert sorted(rooms) == sorted(floors)


def test_imports_point_downwards_only() -> None:
    wrong = [
        f"{module}, line {one.line}, imports {one.module}"
        for module, imports in ALL.items()
        for one in imports
        if module.startswith(f"{CORE}.")
        and one.top == CORE
        and _room(one.module) != _room(module)
        and _floor(_room(one.module)) >= _floor(_room(module))
    ]
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_folder_holds_twelve_files_at_most(package: str) -> None:
    folders = Counter(path.parent for path in _sources(package).values())
    assert {str(folder): count for folder, count in folders.items() if count > 12} == {}


def test_the_table_of_extras_holds_nothing_that_nobody_needs() -> None:
    for name, extras in EXTRAS.items():
        assert extras <= {one.top for one in ALL[f"{CORE}.{name}"]}


def _circle(needs: dict[str, set[str]]) -> set[str]:
    """What is left when all that needs nothing of the rest is taken away, again and again."""
    left = dict(needs)
    while free := {module for module, needed in left.items() if not needed & left.keys()}:
        left = {module: needed for module, needed in left.items() if module not in free}
    return set(left)


def test_no_modules_import_each_other_in_a_circle_not_even_for_their_types() -> None:
    assert _circle({module: {one.module for one in imports} for module, imports in ALL.items()}) == set()
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == {"a", "b", "c"}  # it does look


@pytest.mark.parametrize("client", [FLASK, DJANGO])
def test_the_clients_know_the_core_below_the_middleware_and_never_each_other(client: str) -> None:
    for module, imports in ALL.items():
        if module.startswith(f"{client}."):
            for one in imports:
                assert one.top not in {FLASK, DJANGO} - {client}, f"{module}, line {one.line}"
                if one.top == CORE and module != f"{client}.testing":
                    assert not one.module.removeprefix(f"{CORE}.").startswith(NOT_FOR_CLIENTS), (
                        f"{module}, line {one.line}"
                    )


def test_the_core_knows_no_client() -> None:
    for module, imports in ALL.items():
        if module.startswith(f"{CORE}."):
            assert {one.top for one in imports}.isdisjoint({FLASK, DJANGO})


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_imports_only_what_it_declares(package: str) -> None:
    for module, imports in ALL.items():
        if module.startswith(f"{package}."):
            outside = {one for one in imports if one.top not in {*sys.stdlib_module_names, *PACKAGES}}
            for one in outside:
                allowed = OUTSIDE[package] | (FOR_TYPES_OUTSIDE if one.for_types else set())
                if package == CORE:
                    allowed = allowed | EXTRAS.get(module.removeprefix(f"{CORE}."), set())
                assert one.top in allowed, f"{module}, line {one.line}, imports {one.module}"


def test_what_must_not_be_used_is_not_imported() -> None:
    for module, imports in ALL.items():
        # Django's cookies are Morsels, which know no Partitioned before Python 3.14.
        excepted = {"http.cookies"} if module == f"{DJANGO}.http.cookies" else set[str]()
        for one in imports:
            names = {
                ".".join(one.module.split(".")[: count + 1]) for count in range(one.module.count(".") + 1)
            }
            assert names.isdisjoint(BANNED - excepted), f"{module}, line {one.line}, imports {one.module}"


def test_importing_the_core_loads_no_framework_and_no_client_of_a_store() -> None:
    program = (
        "import sys, iron_wsgi\n"
        "unwanted = ['flask', 'django', 'redis', 'sqlalchemy', 'cachelib', 'jinja2', *sys.argv[1:]]\n"
        "unwanted += ['iron_wsgi_flask', 'iron_wsgi_django', 'iron_wsgi.cli', 'iron_wsgi.testing']\n"
        "print([name for name in unwanted if name in sys.modules])\n"
    )

    def loaded(*extra: str) -> str:
        run = [sys.executable, "-c", program, *extra]
        return subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout

    assert loaded() == "[]\n"
    assert loaded("werkzeug.http") == "['werkzeug.http']\n"  # the program does look


@pytest.mark.parametrize("path", _sources(*PACKAGES).values(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_longer_than_350_lines(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 350


SECRET_WORDS: Final = {"mac", "digest", "sid", "signature", "hmac"}


def _words(node: ast.AST) -> set[str]:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return set(name.lower().split("_"))


def _compared_secrets(source: str) -> list[int]:
    """The lines on which == or != is put to something that must be compared in constant time."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and any(isinstance(operator, (ast.Eq, ast.NotEq)) for operator in node.ops)
        and any(_words(side) & SECRET_WORDS for side in (node.left, *node.comparators))
    ]


def test_no_mac_digest_or_id_is_compared_with_the_equality_operator() -> None:
    for module, path in _sources(*PACKAGES).items():
        assert _compared_secrets(path.read_text("utf-8")) == [], module
    assert _compared_secrets("fields.mac == mac\nstate.sid != x\nif a == 1: pass\ndigest_of == b") == [
        1,
        2,
        4,
    ]


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_the_repository_is_as_ruff_wants_it(command: list[str]) -> None:
    ruff = [sys.executable, "-m", "ruff", *command, "--quiet"]
    run = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
