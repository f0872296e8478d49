"""Words: the keys of every heading and sentence of ``assets/page.html``: what is not listed the page does not have."""

from unbroken.messages import text

_PAGE = (
    "report_title",
    "report_of",
    "report_written",
    "report_passed_over",
    "report_contents",
    "report_curves",
    "report_curves_none",
    "report_curves_left_out",
    "report_marks_told",
    "report_figures_behind",
    "report_restarts_title",
    "report_restarts_unknown",
    "report_restarts_earlier",
    "report_restarts_saved_only",
    "report_left",
    "report_column_number",
    "report_column_when",
    "report_column_from",
    "report_column_ended",
    "report_column_lost",
    "report_column_proof",
    "report_column_changes",
    "report_column_where",
    "report_lineage",
    "report_lineage_told",
    "report_lineage_left_out",
    "report_rows_more",
    "report_saves",
    "report_saves_unknown",
    "report_column_steps",
    "report_column_saves",
    "report_column_failed",
    "report_saves_stalled",
    "report_saves_seconds",
    "report_disk",
    "report_audit",
    "report_audit_told",
    "report_packages",
    "report_no_script",
    "report_reading",
    "report_made_by",
    "report_licences",
    "report_nothing",
)
_SHARED = (
    "cli_column_epoch",
    "cli_column_file",
    "cli_column_branch",
    "cli_column_step",
    "cli_column_best",
    "cli_column_saved",
    "cli_column_size",
    "cli_column_state",
    "cli_column_run",
    "cli_plain_file",
    "cli_config",
    "cli_environment",
    "cli_data",
)

CHARTS = {"epoch": "cli_column_epoch", "save": "report_column_save"}
"""What the script of the page says."""


def words() -> dict[str, str]:
    """All of them, in the user's language."""
    of_page = {key.removeprefix("report_"): text(key) for key in _PAGE}
    return of_page | {key.removeprefix("cli_"): text(key) for key in _SHARED}
