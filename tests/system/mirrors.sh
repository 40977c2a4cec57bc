#!/usr/bin/env bash
# Print where this machine's apt finds packages, as lines of sources.list for another release of Debian: mirrors.sh SUITE
set -euo pipefail
apt-get indextargets --format 'deb $(REPO_URI) $(SUITE) $(COMPONENT)' \
  | sed -E "s/ (oldstable|stable|bookworm|trixie)(-security|-updates)? / $1\2 /" | sort -u
