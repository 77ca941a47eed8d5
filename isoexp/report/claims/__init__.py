"""Claims, as they are written down before any run."""

from .claim import SCALES as SCALES
from .claim import Claim as Claim
from .claim import Curve as Curve
from .comparison import EXPECTS as EXPECTS
from .comparison import ROLES as ROLES
from .comparison import Comparison as Comparison
from .metric import Metric as Metric
from .tuning import Tuning as Tuning
