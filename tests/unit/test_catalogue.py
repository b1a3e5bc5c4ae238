"""Names are files."""

import pytest

from mgcl.catalogue import load, names
from mgcl.errors import MgclError


def test_a_name_is_its_module() -> None:
    assert load("method", "zero_shot").__name__ == "mgcl.methods.few_shot.zero_shot"


def test_shared_modules_are_no_methods() -> None:
    assert {"cache", "contrast", "training", "method"}.isdisjoint(names("method"))


def test_only_what_is_of_a_kind_has_a_name() -> None:
    assert {"laion_clap", "ms_clap", "tiny", "transformers_clap"} <= set(names("backbone"))
    assert names("captioner") == ("file", "msclap", "tags", "transformers")
    for kind in ("dataset", "backbone", "captioner"):
        for name in names(kind):
            assert load(kind, name).__name__.endswith(f".{name}")


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(
        MgclError, match=r"no method is called 'clap'; the nearest is 'clip_clap'; there are: attention_fusion"
    ):
        load("method", "clap")
