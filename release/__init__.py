"""What makes releases: packages, images, the list of what is in them. Nothing of it is needed on a device.

packages.py  the command behind `make packages`: wheel, sdist, .debs, SBOMs
sbom.py      that behind `make sbom`: the software bill of materials (CycloneDX)
lock.py      that behind `make lock`: which releases of other packages are taken, with their hashes
catalog.py, compliance.py   that behind `make pages`: what is made of other files, and kept in the repository
image.sh     that behind `make image`: builds Dockerfile.arm64 with what is there

source.py    the checkout that a release is made of, and the tools that make something of it
target.py    the Debian releases and machines that it is made for
wheels.py    the agent's own wheel and sdist, and those of others that it takes
contents.py  what stands in a wheel
deb/         the Debian package
trim.sh      takes out of an image what no start loads
compose.yaml agent, broker, collector and PostgreSQL as containers

The requirements*.txt are the locks.
"""
