"""A process with all sites of a federation that kills itself at a given point: ``DIRECTORY SITES QUORUM POINT ASKED``.

It goes on with whatever lies in DIRECTORY, sends again what its outboxes hold, and works until nothing moves: first the
ceremony, then (with ASKED = 1) a query of site 1. POINT 0 lives to the end and prints the released numbers.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.crash import Killer
from tests.federation_sites import Federation

SIGKILL = 9


class Mortal(Killer):
    """Dies for good, whichever site is at work."""

    def __init__(self, federation: Federation, last: int) -> None:
        super().__init__(federation, victim=1)
        self.directory = federation.base
        self.last = last
        self.count = 0
        self._armed = True

    def point(self, kind: str) -> None:
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), SIGKILL)


def main(directory: str, sites: int, quorum: int, last: int, asked: int) -> None:
    """Do all that can be done."""
    with Federation(Path(directory), sites, quorum) as federation:
        mortal = Mortal(federation, last)
        with mortal.watching():
            for node in federation.nodes.values():
                for message in node.profile.outbox.of_session(node.ceremony.session):
                    federation.post.send(message.envelope, message.recipients)
                for session in node.profile.sessions.all(kind="query"):
                    for message in node.profile.outbox.of_session(session.id):
                        federation.post.send(message.envelope, message.recipients)
            federation.settle()
            if asked and not federation[1].profile.runs.all():
                federation.ask(1, quorum=(1, 3))
            federation.settle()
        runs = federation[1].profile.runs.all()
        results = [federation[1].desk.result(run.id) for run in runs]
        sys.stdout.write(json.dumps([result.numbers if result else None for result in results]))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
