"""ares_jobs -> ares_assets -> ares_resources: nothing points back up, and the core is pure."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]
FORBIDDEN = {"ares_resources": {"ares_assets", "ares_jobs"}, "ares_assets": {"ares_jobs"}}
CORE = ("market", "analyst", "tactician", "evidence", "release")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_nothing_points_back_up() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for floor, above in FORBIDDEN.items()
        for path in sorted((ROOT / floor).rglob("*.py"))
        for module in sorted(imports(path))
        if module.split(".")[0] in above
    ]
    assert wrong == []


def test_the_core_knows_nothing_of_dagster() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for room in CORE
        for path in sorted((ROOT / "ares_assets" / room).rglob("*.py"))
        for module in sorted(imports(path))
        if module.split(".")[0] in ("dagster", "mlflow", "dagster_mlflow")
        or (module.endswith((".engine", ".step")) and module.startswith("ares_assets"))
    ]
    assert wrong == []


def test_nothing_is_pickled() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for floor in ("ares_jobs", "ares_assets", "ares_resources")
        for path in sorted((ROOT / floor).rglob("*.py"))
        if imports(path) & {"pickle", "cloudpickle", "joblib", "dill", "shelve"}
    ]
    assert wrong == []


def test_every_module_says_what_belongs_in_it() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for floor in ("ares_jobs", "ares_assets", "ares_resources")
        for path in sorted((ROOT / floor).rglob("*.py"))
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []
