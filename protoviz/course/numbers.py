"""Numbers that a notebook's text names, held to those that its cells compute."""

from decimal import Decimal


def stated(text: str, value: float, what: str) -> str:
    """Return a line "what: text", once `value` rounds to `text`, the number as the notebook's prose prints
    it.

    Raises ValueError where it does not, so that a notebook whose prose is out of date does not run through.
    A test holds the other side: the bold numbers of the prose are the ones stated. A percent sign in `text`
    multiplies by 100; a thousands comma is allowed.

    >>> stated("62.8 %", 0.6284, "gap closed")
    'gap closed: 62.8 %'
    """
    number = text.replace(",", "").replace("\N{MINUS SIGN}", "-").removesuffix("%").strip()
    try:
        digits = -int(Decimal(number).as_tuple().exponent)
    except ArithmeticError as error:
        raise ValueError(
            f"{text!r} is no number: write it as the prose does, like '14.41' or '63 %'"
        ) from error
    scaled = float(value) * (100 if text.endswith("%") else 1)
    if f"{scaled:.{max(0, digits)}f}" != f"{float(number):.{max(0, digits)}f}":
        raise ValueError(f"{what}: the text says {text}, the cell computed {scaled:.{max(0, digits) + 2}f}")
    return f"{what}: {text}"
