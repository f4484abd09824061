"""Resolves Kafka's dependencies and prints the lock file; run it when Kafka's version changes."""

from __future__ import annotations

import hashlib

import jgo

from baton_local.jars import KAFKA, LOCK


def main() -> None:
    """Prints one line per jar. The logging backend is added: Kafka's own dependencies have none."""
    artifacts = list(jgo.resolve(KAFKA))
    log4j = next(artifact.version for artifact in artifacts if artifact.artifactId == "log4j-core")
    backend = artifacts[0].context.project("org.apache.logging.log4j", "log4j-slf4j-impl").at_version(log4j)
    print(f"# {LOCK}: coordinate, size and SHA-256 of each jar that Kafka needs. Made by baton_local.lock_jars.")
    rows = []
    for artifact in [*artifacts, backend.artifact()]:
        jar = artifact.resolve().read_bytes()
        coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
        rows.append(f"{coordinate} {len(jar)} {hashlib.sha256(jar).hexdigest()}")
    print("\n".join(sorted(rows)))


if __name__ == "__main__":
    main()
