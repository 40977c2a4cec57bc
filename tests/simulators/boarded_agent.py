"""``edge-agent`` on another board: the folder that EDGE_AGENT_TESTS_BOARD names."""

from __future__ import annotations

import os
from pathlib import Path

from agent.cli.main import main
from agent.governor import readings

FOLDER = "EDGE_AGENT_TESTS_BOARD"

if __name__ == "__main__":
    readings.ROOT = Path(os.environ[FOLDER])
    main()
