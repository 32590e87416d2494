"""Run the servers of this clone: `python3 infra/local up|down|status|start|stop|restart`."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - runs before any environment exists, so also under a python3 that is too old
    sys.stderr.write("infra/local needs Python 3.11 or newer; this is " + sys.version.split()[0] + "\n")
    sys.exit(3)

from servers.cli import main

sys.exit(main(sys.argv[1:]))
