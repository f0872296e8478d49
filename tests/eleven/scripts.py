"""The loops as they are published, and as they are with a run: two sides of a diff, and how many lines it changes."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from tests.docs.pages import sides

_FOLDER = Path(__file__).with_name("loops")


@dataclass(frozen=True)
class Loop:
    """One published loop in both forms."""

    plain: str
    converted: str

    @property
    def saved_often(self) -> str:
        """The converted form, with a save every tenth of a second, so that kills in a second fall between saves."""
        often = self.converted.replace('unbroken.Run("checkpoints")', 'unbroken.Run("checkpoints", every="0.1s")')
        assert often != self.converted
        return often

    @property
    def changed(self) -> int:
        """Lines that were changed, added or taken away."""
        matcher = SequenceMatcher(None, self.plain.splitlines(), self.converted.splitlines(), autojunk=False)
        return sum(max(b - a, d - c) for kind, a, b, c, d in matcher.get_opcodes() if kind != "equal")


LOOPS = {path.stem: Loop(*sides(path.read_text())) for path in sorted(_FOLDER.glob("*.diff"))}
