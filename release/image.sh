#!/bin/sh
# Builds the container images with whatever does that here: make image [ARGS="--target collector"]
#
#   --target NAME    agent (the default, tagged edge-agent) or collector (tagged edgectl)
#   --platform NAME  linux/arm64 (the default) or linux/amd64
#   --tag NAME       another name for the image
# What follows -- goes to the program that builds, as in: make image ARGS="-- --no-cache"
set -eu
cd "$(dirname "$0")/.."

target=agent platform=linux/arm64 tag=
while [ $# -gt 0 ]; do
  case $1 in
    --target | --platform | --tag)
      [ $# -ge 2 ] || { echo "image.sh: $1 wants a name" >&2; exit 2; }
      case $1 in --target) target=$2 ;; --platform) platform=$2 ;; --tag) tag=$2 ;; esac
      shift 2 ;;
    --) shift; break ;;
    *) echo "image.sh: unknown: $1. It knows --target, --platform, --tag, and --" >&2; exit 2 ;;
  esac
done
case $target in
  agent) : "${tag:=edge-agent}" ;;
  collector) : "${tag:=edgectl}" ;;
  *) echo "image.sh: --target is agent or collector, not $target" >&2; exit 2 ;;
esac

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' agent/__init__.py)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
set -- --file Dockerfile.arm64 --target "$target" --platform "$platform" --tag "$tag" \
  --build-arg "VERSION=$version" --build-arg "REVISION=$revision" "$@" .

# A client of docker may be there without its engine. Only docker's format of images knows health checks.
if docker buildx version >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
  exec docker buildx build --load "$@"
elif docker info >/dev/null 2>&1; then
  exec docker build "$@"
elif command -v podman >/dev/null; then
  exec podman build --format docker "$@"
elif command -v buildah >/dev/null; then
  exec buildah build --format docker "$@"
fi
echo "image.sh: nothing here builds images. Install docker with buildx, podman or buildah (Debian: apt-get install podman)," >&2
echo "and for another machine's images the emulator (Debian: apt-get install qemu-user-static binfmt-support)" >&2
exit 1
