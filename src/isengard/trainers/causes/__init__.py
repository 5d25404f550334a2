"""Causes of failure: what a failed training's words mean and what to do about it. The one place with these rules.

`evidence` says what is known of a failure, `rule` how one known cause is told; `hub`, `packages`, `gpu`, `machine`,
`data` and `endings` hold the rules by what broke, and `diagnosis` tries them in order.
"""

from isengard.trainers.causes.diagnosis import UNKNOWN, cause_by_code, diagnose, rule_codes
from isengard.trainers.causes.evidence import Evidence
from isengard.trainers.causes.rule import Cause, Rule

__all__ = ["UNKNOWN", "Cause", "Evidence", "Rule", "cause_by_code", "diagnose", "rule_codes"]
