#!/usr/bin/env bash
# Build a Debian 12 with systemd, a broker, and the agent and edgectl in /opt/edge-agent, for tests/system: rootfs.sh FOLDER PYTHON [PACKAGE]...
# Packages are unpacked only, from this machine's own mirrors; the wheels come by PYTHON's pip, and go into a
# virtual environment without a network. Needs root and mmdebstrap.
set -euo pipefail
root=$1 python=$2 arch=$(dpkg --print-architecture)
shift 2
building=$root.building
wheels=$building/opt/wheels
mkdir -p "$(dirname "$root")"
rm -rf "$root" "$building"
packages=base-files,base-passwd,bash,dash,coreutils,util-linux,mount,login,passwd,sed,grep,mawk,findutils,hostname
packages+=,libc-bin,libpam-modules,libpam-runtime,systemd,systemd-sysv,dbus,dbus-daemon,dbus-system-bus-common
packages+=,dbus-bin,procps,python3,python3-minimal,python3-venv,libstdc++6,libatomic1,ca-certificates,mosquitto
packages+=$(printf ',%s' "$@" | sed 's/,$//')
apt-get indextargets --format 'deb $(REPO_URI) $(SUITE) $(COMPONENT)' | sort -u \
  | sed -e 's/ oldstable-security / bookworm-security /; s/ oldstable-updates / bookworm-updates /' \
    -e 's/ oldstable / bookworm /' > "$root.lines"
mmdebstrap --quiet --arch="$arch" --variant=extract --mode=root --include="$packages" bookworm "$building" "$root.lines"

# The little that the packages' own scripts would have done.
cp "$building/usr/share/base-passwd/passwd.master" "$building/etc/passwd"
cp "$building/usr/share/base-passwd/group.master" "$building/etc/group"
echo 'messagebus:x:100:107::/nonexistent:/usr/sbin/nologin' >> "$building/etc/passwd"
echo 'messagebus:x:107:' >> "$building/etc/group"
: > "$building/etc/machine-id"
: > "$building/etc/fstab"
systemd-sysusers --root="$building" 2> /dev/null
ldconfig -r "$building" 2> /dev/null
ln -sf python3.11 "$building/usr/bin/python3"

mkdir -p "$wheels"
export PIP_ROOT_USER_ACTION=ignore
pip=("$python" -m pip --disable-pip-version-check -qq)
"${pip[@]}" wheel --no-deps --wheel-dir "$wheels" .
"${pip[@]}" download --only-binary=:all: --python-version 3.11 --dest "$wheels" "$(echo "$wheels"/*.whl)[fleet]"
chroot "$building" /usr/bin/python3 -m venv /opt/edge-agent
chroot "$building" /opt/edge-agent/bin/python -m pip --disable-pip-version-check -qq \
  install --no-index --find-links /opt/wheels --no-compile 'edge-inference-agent[fleet]'
rm -rf "$wheels"
mv "$building" "$root"
