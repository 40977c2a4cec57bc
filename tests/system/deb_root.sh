#!/usr/bin/env bash
# Build a clean Debian 12 with systemd and what the agent's package depends on, and without the agent: deb_root.sh FOLDER
# Its dpkg is in order, as the packages' own scripts have run. Needs root and mmdebstrap.
set -euo pipefail
root=$1 building=$1.building
mkdir -p "$(dirname "$root")"
rm -rf "$root" "$building"
"$(dirname "$0")/mirrors.sh" bookworm > "$root.lines"
packages=systemd,systemd-sysv,dbus,procps,python3,libpython3.11-stdlib,python3.11,libstdc++6,zlib1g,ca-certificates
mmdebstrap --quiet --variant=essential --mode=root --include="$packages" bookworm "$building" "$root.lines"
mv "$building" "$root"
