"""What makes releases: packages, images, the list of what is in them. Nothing of it is needed on a device.

lock.py      which releases of other packages are taken, with their hashes
packages.py  wheel, sdist and .deb
sbom.py      the software bill of materials (CycloneDX)
image.sh     the container images, from Dockerfile.arm64; trim.sh takes out of them what no start loads
compose.yaml agent, broker, collector and database as containers
"""
