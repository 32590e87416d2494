"""Elasticsearch: one node, no security, half a gigabyte of heap."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from servers.account import SERVERS_USER, account, fresh, own
from servers.errors import CommandError
from servers.install.cache import cached
from servers.install.command import find, run
from servers.install.java import PACKAGE, find_java, require_java
from servers.ports import LOOPBACK
from servers.process import spawn
from servers.ready import elasticsearch_unready
from servers.services.service import Start, base_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from servers.layout import Layout
    from servers.progress import Progress

VERSION = "8.19.3"
ARTIFACT = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
SHA256 = "c4b08b70523700efde9f3e4c9287229f085c2c0db1efca5c6a7d65abbdb9f2e1"
COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
FETCH_TIMEOUT_SECONDS = 600.0
HEAP = "512m"


class Elasticsearch:
    """Elasticsearch from the Maven artifact that its makers test with."""

    name = "elasticsearch"
    version = VERSION
    port_names = ("elasticsearch", "elasticsearch_transport")
    ready_timeout_seconds = 120.0
    grace_seconds = 20.0

    def missing_packages(self, layout: Layout) -> list[str]:
        """Java always, Maven only until the archive has been fetched."""
        missing = [] if find_java() else [PACKAGE]
        return missing if _folder(layout).is_dir() or find("mvn") else [*missing, "maven"]

    def install(self, layout: Layout, progress: Progress) -> None:
        """Fetch the archive."""
        cached(_folder(layout), sha256=SHA256, fetch=lambda folder: _fetch(folder, progress))

    def start(self, start: Start) -> None:
        """Start it as a user that is not root, which it refuses, with settings of this clone."""
        who = account(SERVERS_USER)
        home = start.layout.service_dir(self.name)
        # Settings are written again each time: it keeps a keystore of its own making beside them.
        fresh(home / "config")
        fresh(home / "tmp")
        folders = {name: own(home / name, who) for name in ("config", "data", "logs", "tmp")}
        distribution = _folder(start.layout)
        (folders["config"] / "elasticsearch.yml").write_text(settings(home, start.ports), encoding="utf-8")
        (folders["config"] / "jvm.options").write_text(jvm_options(), encoding="utf-8")
        shutil.copyfile(distribution / "config/log4j2.properties", folders["config"] / "log4j2.properties")
        env = base_environment(folders["tmp"]) | {
            "ES_JAVA_HOME": str(require_java()),
            "ES_PATH_CONF": str(folders["config"]),
            "ES_TMPDIR": str(folders["tmp"]),
        }
        command = [str(distribution / "bin/elasticsearch")]
        log_file = start.layout.log_file(self.name)
        start.record(spawn(command, env=env, cwd=home, log_file=log_file, account=who))

    def unready(self, port: int) -> str | None:
        """Ask for the cluster's health."""
        return elasticsearch_unready(port)

    def confirm(self, start: Start) -> None:
        """Nothing more to ask."""

    def env(self, port: int) -> dict[str, str]:
        """Return the address."""
        return {"RELAY_ELASTICSEARCH_URL": f"http://{LOOPBACK}:{port}"}


def settings(home: Path, ports: Mapping[str, int]) -> str:
    """Return `elasticsearch.yml`."""
    return f"""\
cluster.name: eventstore-local
node.name: local
discovery.type: single-node
network.host: {LOOPBACK}
http.port: {ports["elasticsearch"]}
transport.port: {ports["elasticsearch_transport"]}
path.data: {home / "data"}
path.logs: {home / "logs"}
xpack.security.enabled: false
# A disk that is nearly full would otherwise make every index read-only.
cluster.routing.allocation.disk.threshold_enabled: false
"""


def jvm_options() -> str:
    """Return `jvm.options`: a small heap, and no garbage collector logs in a folder that is not ours."""
    return f"""\
-Xms{HEAP}
-Xmx{HEAP}
-XX:+UseG1GC
-XX:+ExitOnOutOfMemoryError
-Djava.io.tmpdir=${{ES_TMPDIR}}
20-:--add-modules=jdk.incubator.vector
"""


def _folder(layout: Layout) -> Path:
    return layout.cache_dir / f"elasticsearch-{VERSION}"


def _fetch(folder: Path, progress: Progress) -> Path:
    progress.say("elasticsearch", f"fetching {ARTIFACT} with Maven")
    # A repository of its own, thrown away with the folder: the home folder may be new, read-only, or not there at all.
    command = ["mvn", "--batch-mode", "--quiet", COPY_GOAL, f"-Dartifact={ARTIFACT}"]
    command += [f"-DoutputDirectory={folder}", f"-Dmaven.repo.local={folder / 'repository'}"]
    run(command, timeout_seconds=FETCH_TIMEOUT_SECONDS, cwd=folder, env={"JAVA_HOME": str(require_java())})
    archive = folder / f"elasticsearch-{VERSION}.zip"
    if not archive.is_file():
        raise CommandError(" ".join(command), reason=f"left no {archive.name}")
    return archive
