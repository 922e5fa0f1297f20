"""Deploys of one location to the containers of this machine: docker compose, for that one alone.

An image has a tag named after what it is built of, so no tag ever stands for another image. `.env`
names the tag that serves; it is written when the new one does.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from twd_local.deploy.content import content_name
from twd_local.stack.errors import StackError

# In the folder, because its .env may name further files (COMPOSE_FILE), which -f would leave out.
COMPOSE_FOLDER = Path("deploy/compose")
_COPIED = re.compile(r"^COPY (?!--from)(.+)$", re.MULTILINE)


def tag_variable(location: str) -> str:
    """The variable of `compose.yaml` that names the tag of the location's image."""
    return f"TWD_{location.upper()}_TAG"


def image_tag(repository: Path, location: str) -> str:
    """The tag of the image of `location`: 16 hex digits of its Dockerfile and what that copies."""
    dockerfile = repository / "locations" / location / "Dockerfile"
    copied = [
        repository / source
        for line in _COPIED.findall(dockerfile.read_text())
        for source in line.split()[:-1]
    ]
    if missing := [str(path.relative_to(repository)) for path in copied if not path.exists()]:
        raise StackError(f"{', '.join(missing)}, which the image needs, is not in this checkout.")
    ignored = [
        line.removeprefix("**/")
        for line in (repository / ".dockerignore").read_text().splitlines()
        if line.startswith("**/")
    ]
    files = {
        file
        for path in (dockerfile, *copied)
        for file in (path.rglob("*") if path.is_dir() else (path,))
        if not any(
            fnmatch(part, pattern)
            for part in file.relative_to(repository).parts
            for pattern in ignored
        )
    }
    return content_name(repository, files)


def build_command(location: str) -> list[str]:
    """The command that builds the image of `location`."""
    return ["docker", "compose", "build", location]


def trial_command(location: str) -> list[str]:
    """The command that loads the code of the image, and touches no container that serves."""
    load = ["dagster", "definitions", "validate", "-m", f"twd_{location}.definitions"]
    # Dagster makes itself a home in the folder that it is started in: one that can be written to.
    options = ["--rm", "--no-deps", "-T", "--workdir", "/tmp"]  # noqa: S108
    return ["docker", "compose", "run", *options, location, *load]


def replace_command(location: str) -> list[str]:
    """The command that replaces the container of `location` and no other, by an image that is."""
    return ["docker", "compose", "up", "-d", "--no-build", "--no-deps", "--wait", location]


def deploy_with_compose(
    location: str,
    environment: Mapping[str, str],
    repository: Path,
    say: Callable[[str], None] = print,
) -> None:
    """Replace the container of `location` by one of these sources, unless they serve already.

    The environment may name the tag of an image that is there: the way back to what was deployed
    before. Raises StackError; the image that served before serves then.
    """
    compose = repository / COMPOSE_FOLDER / "compose.yaml"
    if not compose.exists():
        raise StackError(f"{COMPOSE_FOLDER}/compose.yaml is missing from this checkout.")
    _require_compose()
    # One after the other: each writes .env, and what is put back must be what was there.
    with compose.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _Deploy(location, environment, repository, say).run()


class _Deploy:
    """One deploy; `environment` may name the tag."""

    def __init__(
        self,
        location: str,
        environment: Mapping[str, str],
        repository: Path,
        say: Callable[[str], None],
    ) -> None:
        self._location = location
        self._environment = environment
        self._repository = repository
        self._folder = repository / COMPOSE_FOLDER
        self._variable = tag_variable(location)
        self._say = say

    def run(self) -> None:
        tag = self._named() or self._built()
        image = self._image(tag)
        if not self._is_done(trial_command(self._location), tag):
            raise StackError(
                f"The code of {image} does not load, as docker says above. Nothing was replaced."
            )
        before = self._serving()
        try:
            if not self._is_done(replace_command(self._location), tag):
                raise StackError(f"{image} does not serve, as docker says above.")
            _remember(self._folder / ".env", self._variable, tag)
        except BaseException:
            # Also when somebody interrupts: what serves is to be what .env names.
            self._put_back(before)
            raise
        self._say(f"{image} serves, and {COMPOSE_FOLDER}/.env names it.")

    def _named(self) -> str | None:
        tag = self._environment.get(self._variable)
        if tag and not self._is_there(tag):
            # To build it would give the present sources the name of others.
            raise StackError(
                f"There is no image {self._image(tag)}: docker image ls twd-{self._location}. "
                f"Without {self._variable} an image of these sources is built."
            )
        if tag:
            self._say(f"{self._variable} names {self._image(tag)}: nothing is built.")
        return tag

    def _built(self) -> str:
        tag = image_tag(self._repository, self._location)
        if self._is_there(tag):
            return tag
        if not self._is_done(build_command(self._location), tag):
            raise StackError("docker failed, as it says above. Nothing was replaced.")
        if image_tag(self._repository, self._location) != tag:
            self._ask("image", "rm", self._image(tag))
            raise StackError(
                "The sources were changed while the image was built. Nothing was replaced; deploy "
                "again."
            )
        return tag

    def _put_back(self, before: str | None) -> None:
        if before is None:
            self._say(f"No container of {self._location} served before.")
        elif self._is_done(replace_command(self._location), before):
            self._say(f"{self._image(before)}, the image before it, serves again.")
        else:
            self._say(
                f"{self._image(before)}, the image before it, does not serve either: "
                f"docker compose logs {self._location}"
            )

    def _serving(self) -> str | None:
        """The tag of the image that the location's container was made of; None = there is none."""
        container = self._ask("compose", "ps", "--quiet", "--all", self._location)
        if not container:
            return None
        image = self._ask("inspect", "--format", "{{.Config.Image}}", container.split()[0])
        return image.rpartition(":")[2] or None

    def _is_there(self, tag: str) -> bool:
        return bool(self._ask("image", "inspect", "--format", "{{.Id}}", self._image(tag)))

    def _image(self, tag: str) -> str:
        return f"twd-{self._location}:{tag}"

    def _ask(self, *arguments: str) -> str:
        """What docker answers; '' if it fails."""
        done = subprocess.run(
            ["docker", *arguments],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return "" if done.returncode else done.stdout.strip()

    def _is_done(self, command: Sequence[str], tag: str) -> bool:
        variables = {**self._environment, self._variable: tag}
        return subprocess.run(command, cwd=self._folder, env=variables, check=False).returncode == 0


def _require_compose() -> None:
    has_compose = (
        shutil.which("docker")
        and not subprocess.run(
            ["docker", "compose", "version"], capture_output=True, check=False
        ).returncode
    )
    if not has_compose:
        raise StackError(
            "docker with its compose plugin was not found. Install both, or deploy to this "
            "machine with TARGET=local."
        )


def _remember(link: Path, variable: str, tag: str) -> None:
    """Have the variable in `.env`, whose other lines stay as they are."""
    file = link.resolve()
    lines = file.read_text().splitlines() if file.exists() else []
    kept = [line for line in lines if not line.startswith(f"{variable}=")]
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    temporary.write_text("\n".join([*kept, f"{variable}={tag}"]) + "\n")
    if file.exists():
        shutil.copymode(file, temporary)
    temporary.replace(file)
