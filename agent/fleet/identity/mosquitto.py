"""A whole configuration for mosquitto 2.0: TLS with certificates of both ends, the access list, limits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.fleet.identity.place import BROKER

if TYPE_CHECKING:
    from pathlib import Path

CONFIG, ACL, DATA = "mosquitto.conf", "acl", "data"
RELOAD = "kill -HUP $(pidof mosquitto)"
"""Has the broker read its access list, its certificate and the list of revocations again."""
_TEXT = """\
# The fleet's broker, for mosquitto 2.0 or later, made by edgectl init: mosquitto -c {folder}/{config}
# It is yours to change: edgectl never writes over it. docs/howto/broker-mosquitto.md says why each line is
# there.

listener {port}
cafile {folder}/ca.pem
certfile {folder}/server.pem
keyfile {folder}/server.key
crlfile {folder}/crl.pem
tls_version tlsv1.2

# Who has no certificate of the fleet gets nowhere; the name in it is the user of the access list.
allow_anonymous false
require_certificate true
use_identity_as_username true
acl_file {folder}/{acl}
allow_zero_length_clientid false

# What is retained (models, desired states) survives a restart; after a kill, what is older than five minutes.
persistence true
persistence_location {folder}/{data}/
autosave_interval 300
persistent_client_expiration 30d

# A batch has at most 2 MiB, a chunk of a model 127 KiB. What waits for one client that is away is bounded,
# and may be: results stay on their device until the collector has acknowledged them.
max_packet_size 2162688
max_inflight_messages 20
max_queued_messages 10000
max_queued_bytes 268435456
set_tcp_nodelay true

log_dest stderr
log_type error
log_type warning
log_type notice
"""
_ROOT = """
# It was made by root, whom the files belong to. Take this line away where another user owns them.
user root
"""


def configuration(folder: Path, port: int) -> str:
    """Write the configuration.

    Args:
        folder: the operator's; the broker's files are named in full.
        port: where it listens.
    """
    place = (folder / BROKER).resolve()
    text = _TEXT.format(folder=place, port=port, config=CONFIG, acl=ACL, data=DATA)
    return text + (_ROOT if os.geteuid() == 0 else "")
