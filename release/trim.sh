#!/bin/sh
# Takes out of a virtual environment what no start loads, and compiles the rest: trim.sh /opt/edge-agent
#
# Tests of numpy (8 MB), stubs and headers are for developers. LiteRT brings a WebGPU accelerator (17 MB) for an interface
# that the agent does not use. pip is there because sqlite-utils names it, and loads it only to install plugins of its own.
# Compiled files are not held against their sources any more: nobody edits those in an image.
set -eu
environment=${1:?usage: trim.sh ENVIRONMENT}
packages=$("$environment/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
rm -rf "$packages"/pip "$packages"/pip-*.dist-info "$environment"/bin/pip*
rm -f "$packages"/ai_edge_litert/libLiteRtWebGpuAccelerator.so
find "$packages" -type d \( -name tests -o -name include \) -prune -exec rm -rf {} +
find "$packages" -type f \( -name '*.pyi' -o -name '*.a' -o -name '*.h' -o -name '*.pyx' -o -name '*.pxd' \) -delete
"$environment/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$packages"
