#!/usr/bin/env bash
# Build what a virtual machine of tests/system boots: vm.sh FOLDER ROOT, where ROOT is a file system that rootfs.sh has built.
# ARCH=arm64 makes one of that architecture; without it, this machine's. FOLDER then holds vmlinuz, initrd and disk.img. The kernel
# is Debian's own, unpacked from its package; of its modules come those of the devices that the tests plug in. Needs root, apt-get,
# cpio, kmod (depmod) and e2fsprogs (mke2fs).
set -euo pipefail
folder=$(realpath -m "$1") root=$(realpath "$2") arch=${ARCH:-$(dpkg --print-architecture)}
devices=(vivid virtio_console virtio_net sch_netem)
case $arch in amd64) devices+=(i2c-stub i2c-dev bmp280-i2c lm75) ;; esac
disk=(virtio_pci virtio_blk ext4 crc32c_generic)
rm -rf "$folder"
mkdir -p "$folder"/{packages,apt/state/lists/partial,apt/cache/archives/partial}

# An apt of its own, which knows that architecture only.
: > "$folder/apt/status"
apt-get indextargets --format 'deb $(REPO_URI) $(SUITE) $(COMPONENT)' | sort -u > "$folder/apt/lines"
cat > "$folder/apt/conf" <<CONF
APT::Architecture "$arch";
#clear APT::Architectures;
APT::Architectures { "$arch"; };
APT::Sandbox::User "root";
Dir::State "$folder/apt/state";
Dir::State::status "$folder/apt/status";
Dir::Cache "$folder/apt/cache";
Dir::Etc::sourcelist "$folder/apt/lines";
Dir::Etc::sourceparts "-";
CONF
export APT_CONFIG=$folder/apt/conf
apt-get -qq update
kernel=$(apt-cache depends "linux-image-$arch" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
(cd "$folder/packages" && apt-get -qq download "$kernel" busybox-static)
for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$folder/unpacked"; done
version=${kernel#linux-image-}
modules=$folder/unpacked
[ -d "$modules/lib/modules" ] || modules=$folder/unpacked/usr
mv "$folder/unpacked/boot/vmlinuz-$version" "$folder/vmlinuz"
depmod -b "$modules" "$version"
needed() {  # the files of modules, each after those that it needs
  for module in "$@"; do modprobe -d "$modules" -S "$version" --show-depends "$module"; done \
    | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++'
}

# The first file system, in memory: it finds the disk, and gives way to systemd there.
first=$folder/first
mkdir -p "$first"/{bin,proc,sys,dev,mnt,modules}
cp "$folder/unpacked/bin/busybox" "$first/bin/"
ln -s busybox "$first/bin/sh"
number=10
for file in $(needed "${disk[@]}"); do
  cp "$file" "$first/modules/$number-$(basename "$file")"
  number=$((number + 1))
done
cat > "$first/init" <<'INIT'
#!/bin/sh
/bin/busybox mount -t devtmpfs none /dev
for file in /modules/*; do /bin/busybox insmod "$file"; done
until [ -b /dev/vda ]; do /bin/busybox usleep 50000; done
/bin/busybox mount -t ext4 -o noatime /dev/vda /mnt
/bin/busybox mount --move /dev /mnt/dev
exec /bin/busybox switch_root /mnt /lib/systemd/systemd
INIT
chmod +x "$first/init"
(cd "$first" && find . | cpio --quiet -o -H newc | gzip -1) > "$folder/initrd"

within=$root/lib/modules/$version
rm -rf "$root/lib/modules"
for file in $(needed "${devices[@]}"); do
  install -D -m 0644 "$file" "$within/${file#"$modules/lib/modules/$version/"}"
done
cp "$modules/lib/modules/$version"/modules.{order,builtin,builtin.modinfo} "$within/"
depmod -b "$root" "$version"
here=$(dirname "$0")
install -D -m 0644 "$here/vm_hand.py" "$root/opt/hand/vm_hand.py"
install -D -m 0644 "$here/vm_hand.service" "$root/etc/systemd/system/hand.service"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../hand.service "$root/etc/systemd/system/multi-user.target.wants/hand.service"
rm -rf "$folder/packages" "$folder/apt" "$folder/unpacked" "$folder/first"
truncate -s 3G "$folder/disk.img"
# With a journal: a test cuts its power.
mke2fs -q -t ext4 -J size=16 -E lazy_itable_init=1,nodiscard -d "$root" "$folder/disk.img"
