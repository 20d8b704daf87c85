"""For all tests: how long an example takes is no failure, on machines that others use, too; Ctrl-C is heard."""

import signal

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("patient")

# A shell starts what it runs in the background with Ctrl-C ignored, and so would all programs under test.
signal.signal(signal.SIGINT, signal.default_int_handler)
