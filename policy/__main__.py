"""The policy pack, as the engine starts it: `pulumi up --policy-pack policy`."""

from guard_rails.pack import start

start()
