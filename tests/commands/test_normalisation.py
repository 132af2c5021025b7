"""What the user says about pixels is read, or refused in one line."""

import pytest

from modeconn_lib.commands.normalisation import Normalisation, parse_normalisation
from modeconn_lib.core.errors import Refusal


def test_one_number_or_one_a_channel_is_read():
    assert parse_normalisation("", "") is None
    assert parse_normalisation("0", "1") == Normalisation((0.0,), (1.0,))
    found = parse_normalisation("0.5,-1,0", "1,2,1e-1")
    assert found == Normalisation((0.5, -1.0, 0.0), (1.0, 2.0, 0.1))
    assert str(found) == "normalised by mean 0.5,-1,0, std 1,2,0.1"


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ("0", "", r"--mean and --std go together; for pixels from 0 to 1: --mean 0 --std 1$"),
        ("", "1", r"--mean and --std go together"),
        ("0,0", "1", r"--mean 0,0 and --std 1 are not as many numbers"),
        ("0", "0", r"--std must be above 0, got 0"),
        ("0,0", "1,-1", r"--std must be above 0, got 1,-1"),
        ("grey", "1", r"cannot read --mean 'grey'; write one number, or one a channel like"),
        ("0,", "1", r"cannot read --mean '0,'"),
        ("0", "inf", r"cannot read --std 'inf'"),
        ("nan", "1", r"cannot read --mean 'nan'"),
    ],
)
def test_what_is_no_normalisation_is_refused(mean, std, message):
    with pytest.raises(Refusal, match=message):
        parse_normalisation(mean, std)
