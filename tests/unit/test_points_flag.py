"""``--points`` of a search, and the name that it had before."""

import argparse

from mgcl.errors import flag_names
from mgcl.search.flags import add_points_flag


def test_both_names_are_taken_and_the_older_one_says_so(capsys) -> None:
    parser = argparse.ArgumentParser()
    add_points_flag(parser, type=int, default=60, help="points")
    assert parser.parse_args([]).points == 60
    assert parser.parse_args(["--points", "8"]).points == 8
    assert not capsys.readouterr().err
    assert parser.parse_args(["--trials", "8"]).points == 8
    assert "--trials is called --points now" in capsys.readouterr().err
    assert flag_names(parser)["points"] == "--points"
    assert "--trials" not in parser.format_help()
