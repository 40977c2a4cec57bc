#!/usr/bin/env bash
# Run a program of another architecture under qemu-user, as on a processor of tests/system/fakehw: userland.sh ROOT FOLDER SCRATCH CPU COMMAND...
# Of this machine they see FOLDER at /src, read-only, and SCRATCH at /tmp. Needs root and a registered qemu-user.
set -euo pipefail
root=$1 folder=$2 scratch=$3 cpu=$4 fake=$(realpath "$(dirname "$0")/fakehw/$4")
shift 4
if [ -z "${APART:-}" ]; then
  APART=1 exec unshare --mount --pid --fork --kill-child --propagation private "$0" "$root" "$folder" "$scratch" "$cpu" "$@"
fi
mkdir -p "$root/src"
mount -t proc proc "$root/proc"
mount --bind "$fake/cpuinfo" "$root/proc/cpuinfo"
mount -t tmpfs none "$root/sys"
mkdir -p "$root/sys/devices/system"
cp -r "$fake/cpu" "$root/sys/devices/system/"
mount --rbind /dev "$root/dev"
mount --bind "$folder" "$root/src"
mount -o remount,bind,ro "$root/src"
mount --bind "$scratch" "$root/tmp"
mount -t tmpfs none "$root/run"
# Workers get an environment of their own, without QEMU_CPU. The processor would then have more than cpuinfo says, and
# LiteRT would take kernels that qemu 7.2 computes wrong. So each Python is started by a script that says it.
cp "$root/usr/bin/python3.11" "$root/run/python3.11"
printf '#!/bin/bash\nexport QEMU_CPU=%s\nexec -a "$0" /run/python3.11 "$@"\n' "$cpu" > "$root/run/python"
chmod +x "$root/run/python"
mount --bind "$root/run/python" "$root/usr/bin/python3.11"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin QEMU_CPU="$cpu" HOME=/tmp LANG=C.UTF-8 chroot "$root" "$@"
