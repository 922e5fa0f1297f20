"""What the stack, the deploys and the demo ask of Dagster: its GraphQL, through the webserver."""

from __future__ import annotations

from typing import Any

import httpx

from twd_local.stack.errors import StackError

SOURCE_ASSETS = (
    "schema/raw_schema_metadata",
    "schema/schema_documentation",
    "schema/schema_embeddings",
    "sync/schema_diff",
    "sync/updated_embeddings",
    "training/training_examples",
    "training/trained_model",
    "training/model_evaluation",
)
"""The assets with a partition for each source, in the order in which they are made."""

_DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { required healthy } } } }"

_RELOAD = """
mutation ($name: String!) {
  reloadRepositoryLocation(repositoryLocationName: $name) {
    __typename
    ... on WorkspaceLocationEntry {
      locationOrLoadError { __typename ... on PythonError { message } }
    }
    ... on PythonError { message }
  }
}
"""

_STARTING = """
{ runsOrError(filter: {statuses: [STARTING]}) {
  ... on Runs { results { runId repositoryOrigin { repositoryLocationName } } }
} }
"""


class DagsterApi:
    """GraphQL calls to one webserver."""

    def __init__(self, url: str) -> None:
        """`url` is the address of the UI."""
        self.url = url.rstrip("/")
        self._client = httpx.Client(base_url=self.url, timeout=30)

    def close(self) -> None:
        """Close the connections to the webserver."""
        self._client.close()

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The `data` of the answer; raises StackError if there is none."""
        try:
            answer = self._client.post("/graphql", json={"query": query, "variables": variables})
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise StackError(
                f"The Dagster UI at {self.url} did not answer ({type(error).__name__}). "
                "See: make status, make logs SERVICE=webserver"
            ) from None
        if body.get("errors") or not body.get("data"):
            message = (body.get("errors") or [{"message": "no data"}])[0]["message"]
            raise StackError(f"The Dagster UI at {self.url} refused a question: {message}")
        return body["data"]

    def daemons_are_healthy(self) -> bool:
        """Whether every daemon that this instance needs has reported lately."""
        try:
            statuses = self.ask(_DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
        except StackError:
            return False
        required = [status for status in statuses if status["required"]]
        return bool(required) and all(status["healthy"] for status in required)

    def reload_location(self, name: str) -> str | None:
        """Make the UI read location `name` again; gives what is wrong if it cannot be loaded."""
        answer = self.ask(_RELOAD, name=name)["reloadRepositoryLocation"]
        loaded = answer.get("locationOrLoadError") or answer
        if loaded["__typename"] == "RepositoryLocation":
            return None
        reason = loaded.get("message", loaded["__typename"]).strip().splitlines()[0]
        return f"The UI could not load location {name}: {reason}"

    def runs_being_started(self, location: str) -> list[str]:
        """Ids of the runs whose process the code server of `location` is making now."""
        runs = self.ask(_STARTING)["runsOrError"]["results"]
        return [
            run["runId"]
            for run in runs
            if (run["repositoryOrigin"] or {}).get("repositoryLocationName") == location
        ]
