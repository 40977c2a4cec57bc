"""The machine under the agent: a helper that runs as root reboots it, or installs another release.

The agent writes a request into its own folder; systemd starts the helper, ``agent.host.main``, which takes it
as hostile, obeys what its own configuration allows and no more, and answers in a folder of its own. Nothing
else goes between the two.
"""
