#!/usr/bin/env bash
# Make the file system of an image that stands for Dockerfile.arm64's base, of Debian's packages: image_base.sh FOLDER ARCHITECTURE
# Packages are unpacked only, from this machine's own mirrors. What Python would compile at each start, emulated, is compiled
# by this machine's own: bytecode is the same everywhere. Needs root and mmdebstrap.
set -euo pipefail
root=$1 arch=$2
mkdir -p "$(dirname "$root")"
packages=base-files,base-passwd,bash,dash,coreutils,passwd,sed,grep,mawk,findutils,libc-bin,libstdc++6,libatomic1
packages+=,ca-certificates,python3,python3-minimal,python3-pip,python3-venv
"$(dirname "$0")/mirrors.sh" trixie > "$root.lines"

unpack() { # FOLDER ARCHITECTURE
  rm -rf "$1" "$1.building"
  mmdebstrap --quiet --arch="$2" --variant=extract --mode=root --include="$packages" trixie "$1.building" "$root.lines"
  cp "$1.building/usr/share/base-passwd/passwd.master" "$1.building/etc/passwd"
  cp "$1.building/usr/share/base-passwd/group.master" "$1.building/etc/group"
  ldconfig -r "$1.building" 2> /dev/null
  ln -sf python3 "$1.building/usr/bin/python"
  chmod 1777 "$1.building/tmp"
  # An image knows nothing of the machine that it was made on.
  rm -rf "$1.building"/etc/apt/{sources.list,sources.list.d,apt.conf.d} "$1.building"/etc/{resolv.conf,hosts} "$1.building"/usr/share/{doc,man}
  mv "$1.building" "$1"
}

own=$root.own
unpack "$root" "$arch"
[ "$arch" = "$(dpkg --print-architecture)" ] && own=$root || unpack "$own" "$(dpkg --print-architecture)"
libraries=("$root"/usr/lib/python3*)
mkdir -p "$own/work"
trap 'umount "$own/work"' EXIT
mount --bind "$root" "$own/work"
chroot "$own" python3 -m compileall -q -j 2 "${libraries[@]/#$root//work}"
