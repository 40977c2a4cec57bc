"""The Debian package: the agent with all it needs in /opt/edge-agent, its units, and what dpkg runs.

tree.py      what stands where
places.py    where the files of ``systemd/`` go
control.py   what dpkg wants to know
build.py     a package
scripts/     what dpkg runs; ``@NAME@`` is filled in
files/       what only the package has
"""
