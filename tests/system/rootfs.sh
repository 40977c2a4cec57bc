#!/usr/bin/env bash
# Build a Debian 12 with systemd, a broker, and the agent and edgectl in /opt/edge-agent, for tests/system: rootfs.sh FOLDER PYTHON [PACKAGE]...
# ARCH=arm64 makes one of that architecture; without it, this machine's. Nothing of it runs while it is built: packages are unpacked
# only, from this machine's own mirrors, and PYTHON's pip lays the wheels into a virtual environment. Needs root and mmdebstrap.
set -euo pipefail
root=$1 python=$2 arch=${ARCH:-$(dpkg --print-architecture)}
shift 2
building=$root.building
# What stands at its place goes: no folder of anything else, and none of wherever this is called.
case $root in /?*) ;; *) echo "rootfs.sh: $root is no absolute path" >&2; exit 2 ;; esac
if [ -n "$(ls -A "$root" 2>/dev/null)" ] && [ ! -d "$root/opt/edge-agent" ]; then echo "rootfs.sh: $root holds something else" >&2; exit 2; fi
wheels=$building/opt/wheels
mkdir -p "$(dirname "$root")"
rm -rf "$root" "$building"
packages=base-files,base-passwd,bash,dash,coreutils,util-linux,mount,login,passwd,sed,grep,mawk,findutils,hostname
packages+=,libc-bin,libpam-modules,libpam-runtime,systemd,systemd-sysv,dbus,dbus-daemon,dbus-system-bus-common
packages+=,dbus-bin,procps,python3,python3-minimal,python3-venv,libstdc++6,libatomic1,ca-certificates,mosquitto
packages+=$(printf ',%s' "$@" | sed 's/,$//')
"$(dirname "$0")/mirrors.sh" bookworm > "$root.lines"
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

# What `python3 -m venv` and pip would leave there.
machine=$(case $arch in arm64) echo aarch64 ;; amd64) echo x86_64 ;; *) echo "$arch" ;; esac)
environment=$building/opt/edge-agent
site=$environment/lib/python3.11/site-packages
mkdir -p "$environment/bin" "$wheels"
ln -s /usr/bin/python3 "$environment/bin/python"
ln -s python "$environment/bin/python3"
ln -s python "$environment/bin/python3.11"
printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11\n' > "$environment/pyvenv.cfg"
export PIP_ROOT_USER_ACTION=ignore
pip=("$python" -m pip --disable-pip-version-check -qq)
"${pip[@]}" wheel --no-deps --wheel-dir "$wheels" .
for glibc in 2014 _2_17 _2_27 _2_28 _2_31 _2_34 _2_35 _2_36; do
  platforms+=(--platform "manylinux${glibc}_$machine")
done
"${pip[@]}" install --only-binary=:all: --python-version 3.11 --implementation cp --abi cp311 --abi abi3 --abi none \
  "${platforms[@]}" --no-compile --target "$site" "$(echo "$wheels"/*.whl)[fleet]"
sed -i '1s,^#!.*python.*,#!/opt/edge-agent/bin/python,' "$site/bin"/*
mv "$site/bin"/* "$environment/bin/"
rmdir "$site/bin"
if [ "$("$python" -c 'import sys; print(*sys.version_info[:2])')" = '3 11' ]; then  # as pip would; another's would not be read
  "$python" -m compileall -q -j 2 --invalidation-mode unchecked-hash -s "$building" \
    "$site" "$building/usr/lib/python3.11"
fi
rm -rf "$wheels"
mv "$building" "$root"
