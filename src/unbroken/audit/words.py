"""What the audit calls kinds of kills, groups of values and parts of a training: the keys, each written whole."""

from unbroken.audit.moments import Kill
from unbroken.loop.trace import Group

KILLS = {
    Kill.STOP: "audit_kill_stop",
    Kill.AGAIN: "audit_kill_again",
    Kill.RANDOM: "audit_kill_random",
    Kill.BEFORE_FIRST_SAVE: "audit_kill_before_first_save",
    Kill.AFTER_SAVE: "audit_kill_after_save",
    Kill.IN_SAVE: "audit_kill_in_save",
    Kill.EPOCH_END: "audit_kill_epoch_end",
}
GROUPS = {
    Group.SEED: "audit_group_seed",
    Group.COURSE: "audit_group_course",
    Group.ORDER: "audit_group_order",
    Group.DATA: "audit_group_data",
    Group.STREAM: "audit_group_stream",
    Group.HISTORY: "audit_group_history",
    Group.LEARNING_RATE: "audit_group_learning_rate",
    Group.AVERAGE: "audit_group_average",
    Group.MODEL: "audit_group_model",
    Group.OPTIMIZER: "audit_group_optimizer",
    Group.SCHEDULER: "audit_group_scheduler",
    Group.OTHER: "audit_group_other",
    Group.STATE: "audit_group_state",
    Group.VARIABLE: "audit_group_variable",
}
BEHIND = {
    Group.COURSE: ("audit_cause_course", "audit_remedy_course"),
    Group.ORDER: ("audit_cause_order", "audit_remedy_order"),
    Group.STREAM: ("audit_cause_stream", "audit_remedy_stream"),
    Group.HISTORY: ("audit_cause_history", "audit_remedy_history"),
    Group.LEARNING_RATE: ("audit_cause_learning_rate", "audit_remedy_learning_rate"),
    Group.AVERAGE: ("audit_cause_average", "audit_remedy_average"),
    Group.MODEL: ("audit_cause_model", "audit_remedy_model"),
    Group.OPTIMIZER: ("audit_cause_optimizer", "audit_remedy_optimizer"),
    Group.SCHEDULER: ("audit_cause_scheduler", "audit_remedy_scheduler"),
    Group.OTHER: ("audit_cause_other", "audit_remedy_other"),
    Group.STATE: ("audit_cause_state", "audit_remedy_state"),
}
"""What is behind a difference that comes first in this group, and what mends it, where nothing more is known."""

PARTS = {"optimizer": "audit_part_optimizer", "streams": "audit_part_streams", "count": "audit_part_count"}
