"""Numbers of DynamoDB: canonical text, arithmetic, size."""

import pytest

from eventstore.testing.dynamodb import decimals
from eventstore.testing.dynamodb.errors import ServiceError


@pytest.mark.parametrize(
    ("left", "right", "total", "difference"),
    [
        ("1", "2", "3", "-1"),
        ("0.1", "0.2", "0.3", "-0.1"),
        ("1.5", "1.5", "3", "0"),
        ("-2.5", "0.5", "-2", "-3"),
        ("99999999999999999999999999999999999998", "1", "9" * 38, "9" * 37 + "7"),
    ],
)
def test_arithmetic_is_decimal(left, right, total, difference):
    """
    Sums and differences are exact.
    """
    assert decimals.add(left, right) == total
    assert decimals.subtract(left, right) == difference


def test_a_result_with_too_many_digits_is_refused():
    """
    38 digits are kept, 39 are refused, not rounded.
    """
    assert decimals.add("9" * 38, "1") == "1" + "0" * 38
    with pytest.raises(ServiceError, match="38 significant digits"):
        decimals.add("9" * 38, "0.1")
    with pytest.raises(ServiceError, match="overflow"):
        decimals.add("9.9E125", "9.9E125")


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 1), ("7", 2), ("12", 2), ("123", 3), ("1000", 2), ("1010", 3), ("-1", 3), ("0.05", 2), ("1.25", 3)],
)
def test_the_size_counts_significant_digits(text, size):
    """
    One byte for two significant digits, one more, and one for a minus sign.
    """
    assert decimals.size_bytes(text) == size


@pytest.mark.parametrize("text", ["", " 1", "1 ", "1_0", "0x1", "NaN", "Infinity", "1.2.3", "--1", "٣", "1E", "E5"])
def test_what_is_no_number_is_refused(text):
    """
    Only plain decimal notation counts, in ASCII digits.
    """
    with pytest.raises(ServiceError, match="cannot be converted to a numeric value"):
        decimals.canonical(text)
