"""Every sentence of the training program, one module per language; which there are, the library says."""

from unbroken.messages import FALLBACK as FALLBACK
from unbroken.messages import LANGUAGES as LANGUAGES
from unbroken.messages import Catalogue
from unbroken.messages import language as language

_PROGRAM = Catalogue(__name__)
sentences = _PROGRAM.sentences
text = _PROGRAM.text
text_in = _PROGRAM.text_in


def shortened(value: object, length: int = 60) -> str:
    """``value`` as text, cut to ``length``: what a file holds may be of any size."""
    said = str(value)
    return said if len(said) <= length else said[: length - 1] + "…"
