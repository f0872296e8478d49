"""What these tests share with those of the audit and of kills."""

from tests.audit.conftest import audited as audited
from tests.audit.conftest import scratch as scratch
from tests.kill.conftest import nursery as nursery
