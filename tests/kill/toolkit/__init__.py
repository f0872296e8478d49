"""The kill toolkit: real processes, real signals at named moments, and bit for bit comparison with a run left alone."""

from tests.kill.toolkit.digests import Difference as Difference
from tests.kill.toolkit.digests import Digest as Digest
from tests.kill.toolkit.digests import differences as differences
from tests.kill.toolkit.digests import digest as digest
from tests.kill.toolkit.moments import KINDS as KINDS
from tests.kill.toolkit.moments import Interruption as Interruption
from tests.kill.toolkit.moments import Kind as Kind
from tests.kill.toolkit.moments import Moment as Moment
from tests.kill.toolkit.moments import draw as draw
from tests.kill.toolkit.processes import Attempt as Attempt
from tests.kill.toolkit.processes import Nursery as Nursery
from tests.kill.toolkit.processes import Program as Program
from tests.kill.toolkit.processes import StuckError as StuckError
from tests.kill.toolkit.trials import STOPPED as STOPPED
from tests.kill.toolkit.trials import Outcome as Outcome
from tests.kill.toolkit.trials import run_to_its_end as run_to_its_end
