"""Properties are about results: how long an example takes depends on the machine, and is never judged."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("results", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("results")
