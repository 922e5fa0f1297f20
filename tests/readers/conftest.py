"""The packages that read a knowledge base, as docs/training.md says, and databases to teach.

Each package runs in an environment and a process of its own; what is published to it is made here,
by the training location's own job.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from qdrant_client import QdrantClient

from twd_shared.contract import TRAINED_MODEL, source_databases
from twd_training.defs.assets import TRAINING_EXAMPLES_KEY
from twd_training.knowledge_base.collections import Collections

from ..training.conftest import Location, location

__all__ = ["location"]

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs/training.md"

CHAPTERS = {"Vanna 0.7": "vanna07", "Vanna 2": "vanna2", "LangChain": "vanna07"}
"""The environment in which the code of each chapter runs."""


class ReaderProcess:
    """A package in its own environment, which stays while knowledge bases change."""

    def __init__(self, environment: str, *modules: str) -> None:
        python = HERE / ".venv" / environment / "bin/python"
        if not python.exists():
            pytest.fail(f"{python} is missing: run 'make environments' first.")
        self._process = subprocess.Popen(
            [str(python), str(HERE / "reader.py"), *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ReaderError(answer["error"])
        return answer["value"]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


class ReaderError(Exception):
    """What the package raised, as text."""


class Reader:
    """The code of one chapter of the document, run for one database."""

    def __init__(self, process: ReaderProcess, namespace: str) -> None:
        self._process = process
        self._namespace = namespace

    def run(self, code: str) -> None:
        """Run more code behind the document's."""
        self._process.ask({"namespace": self._namespace, "run": code})

    def __call__(self, expression: str, **names: Any) -> Any:
        """The value of an expression over what the document's code made."""
        return self._process.ask(
            {"namespace": self._namespace, "evaluate": expression, "names": names}
        )


class Readers:
    """Makes readers of the tests' servers from the document's chapters."""

    def __init__(
        self,
        services: Any,
        processes: dict[str, ReaderProcess],
        prefixes_at: str | None = None,
    ) -> None:
        """Embed with the prefixes of the document at `prefixes_at`; None = with none at all."""
        self._services = services
        self._processes = processes
        self._prefixes_at = prefixes_at

    def with_prefixes(self, ollama: str) -> Readers:
        """Readers that embed at another address, with the prefixes that the document says."""
        return Readers(self._services, self._processes, ollama)

    def vanna(self, key: str) -> Reader:
        return self._of("Vanna 0.7", key)

    def vanna2(self, key: str) -> Reader:
        return self._of("Vanna 2", key)

    def langchain(self, key: str) -> Reader:
        return self._of("LangChain", key)

    def _of(self, chapter: str, key: str) -> Reader:
        reader = Reader(self._processes[CHAPTERS[chapter]], f"{chapter} of {key}")
        reader.run(self._code(chapter, key))
        return reader

    def _code(self, chapter: str, key: str) -> str:
        """The chapter's code, with the tests' addresses, model and database in place of its own."""
        [code] = re.findall(r"```python\n(.*?)```", chapters()[chapter], re.DOTALL)
        for written, ours in (
            ("http://qdrant:6333", self._services.qdrant),
            ("http://ollama:11434", self._prefixes_at or self._services.ollama),
            ("nomic-embed-text", self._services.embed_model),
            ("kb_shop_", f"kb_{key}_"),
        ):
            assert written in code
            code = code.replace(written, ours)
        # The tests' model was published with none.
        return code if self._prefixes_at else re.sub(r'"search_(query|document): "', '""', code)


def chapters() -> dict[str, str]:
    """The document's chapters with code of readers, by their headings."""
    _, *parts = DOCUMENT.read_text().split("\n## ")
    found = dict(part.split("\n", 1) for part in parts)
    return {heading: text for heading, text in found.items() if "```python" in text}


@pytest.fixture(scope="session", autouse=True)
def _processes() -> Iterator[dict[str, ReaderProcess]]:
    started = {
        "vanna07": ReaderProcess("vanna07", "vanna.qdrant", "langchain_qdrant", "langchain_ollama"),
        "vanna2": ReaderProcess("vanna2", "vanna.integrations.qdrant"),
    }
    yield started
    for process in started.values():
        process.close()


@pytest.fixture
def readers(services: Any, _processes: dict[str, ReaderProcess]) -> Readers:
    return Readers(services, _processes)


class OtherLocation(Location):
    """A second connection of the same application, with tables of the same names."""

    connection_id = "8"


@pytest.fixture
def other(location: Location) -> Iterator[Location]:
    made = OtherLocation(location.resources, location.application_dsn, f"other {location.key}")
    yield made
    collections = Collections(location.resources["qdrant"].client, made.key)
    collections.drop(collections.present())


class Training:
    """The training location's job and sensor, run for connections."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def run(self, location: Location) -> None:
        """Train a connection, as the automation does after a change; it is not evaluated."""
        self._instance.add_dynamic_partitions(str(source_databases.name), [location.key])
        job = location.definitions.resolve_job_def("training_job")
        assert job.execute_in_process(
            instance=self._instance,
            partition_key=location.key,
            asset_selection=[TRAINING_EXAMPLES_KEY, TRAINED_MODEL.key],
        ).success

    def remove(self, location: Location) -> None:
        """Take a connection out, as the application and then the sensor do."""
        location.store.connections.deactivate(location.connection_id)
        [sensor] = [
            s for s in location.definitions.sensors or () if s.name == "training_data_sensor"
        ]
        assert isinstance(sensor, dg.SensorDefinition)
        with dg.build_sensor_context(
            instance=self._instance,
            repository_def=location.definitions.get_repository_def(),
            resources=location.resources,
        ) as context:
            sensor(context)


@pytest.fixture
def training() -> Iterator[Training]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Training(instance)


@pytest.fixture
def client(location: Location) -> QdrantClient:
    return location.resources["qdrant"].client
