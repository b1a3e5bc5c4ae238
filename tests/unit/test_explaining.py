"""What is asked about a class, which answers are believed, and what becomes of them."""

import json

import pytest

from mgcl.errors import DataError, MgclError
from mgcl.language.explanations import explanations, from_templates, read_explanations
from mgcl.language.prompts import TEMPLATES, prompt
from mgcl.language.writers import transformers_writer
from mgcl.language.writing import CHARACTERISTICS, broken_rule, parse, question, write_explanations
from tests.checkpoints import captioners as checkpoints

GOOD = tuple(f"Its {name} is warm and steady, like slow breath in the dark." for name, _ in CHARACTERISTICS)


class Scripted:
    """Gives its answers in turn; keeps what it was asked."""

    def __init__(self, *answers: str) -> None:
        self.asked: list[str] = []
        self._answers = iter(answers)

    def __call__(self, prompt: str) -> str:
        self.asked.append(prompt)
        return next(self._answers)


def stored(out) -> list[dict[str, str]]:
    return [json.loads(line) for line in out.with_suffix(".answers.jsonl").read_text().splitlines()]


def test_the_question_says_all_rules() -> None:
    asked = question("door_knock", ["Church_bells", "rain"], 'it names another class: "rain"')
    for words in (
        'the sound "door knock"',
        "8 sentences",
        "8 to 20 words",
        "none of these other sounds: church bells, rain",
        'broke a rule: it names another class: "rain"',
        *(f"{i}. {name}: " for i, (name, _) in enumerate(CHARACTERISTICS, 1)),
    ):
        assert words in asked
    assert "Name none" not in question("rain", [])


@pytest.mark.parametrize(
    ("sentence", "broken"),
    [
        ("It is short.", "has 3 words, not 8 to 20"),
        ("It goes on " + "and on " * 10, "has 23 words, not 8 to 20"),
        ("Its hum is warm and steady and never stops at night.", "negates: never"),
        ("Its hum is warm and steady and doesn’t stop at night.", "negates: doesn't"),
        ("Its hum is warm and steady like church bells at night.", "names another class: church bells"),
        ("Its hum is warm and steady like some cats at night.", "names another class: cat"),
        (GOOD[1].upper(), "is there twice"),
        ("A sea wave is warm and steady like slow breath.", ""),
    ],
)
def test_rules(sentence, broken) -> None:
    found = broken_rule((*GOOD[:7], sentence), "sea_wave", ["wave", "cat", "Church_bells"])
    assert found == (f'"{sentence}" {broken}' if broken else "")


@pytest.mark.parametrize("count", [7, 9])
def test_eight_are_asked_for(count) -> None:
    assert broken_rule((GOOD * 2)[:count], "rain", []) == f"there are {count} sentences, not 8"


@pytest.mark.parametrize("dataset", ["esc50", "fsdkaggle18"])
def test_our_own_explanations_keep_the_rules(dataset) -> None:
    texts = explanations(dataset)
    assert texts
    for label, text in texts.items():
        assert broken_rule(text.explanations, label, [other for other in texts if other != label]) == "", label


def test_an_answer_is_read_whatever_its_form() -> None:
    answer = "<think>1. Hm.</think>\n\n" + "\n\n".join(f'{i}) "{sentence}"' for i, sentence in enumerate(GOOD, 1))
    assert parse(answer) == list(GOOD)
    assert parse("* **Loud.**\n- 'Low.'\n• 3 beeps.") == ["Loud.", "Low.", "3 beeps."]


def test_good_answers_are_saved_and_read_back(tmp_path) -> None:
    out = tmp_path / "mine.json"
    writer = Scripted("\n".join(GOOD), "\n".join(GOOD))
    written = write_explanations(("sea_wave", "hum"), writer, out, model="m")
    assert written == read_explanations(out)
    assert written["sea_wave"].explanations == GOOD
    assert written["hum"].prompt == prompt("hum")
    assert writer.asked == [question("sea_wave", ["hum"]), question("hum", ["sea_wave"])]


def test_a_bad_answer_is_asked_for_again_with_the_rule_and_then_never(tmp_path) -> None:
    out = tmp_path / "mine.json"
    writer = Scripted("I cannot.", "\n".join(GOOD))
    write_explanations(("hum",), writer, out, model="m")
    assert writer.asked[1] == question("hum", [], "there are 1 sentences, not 8")
    assert [each["answer"] for each in stored(out)] == ["I cannot.", "\n".join(GOOD)]
    out.unlink()
    write_explanations(("hum",), Scripted(), out, model="m")
    assert read_explanations(out)["hum"].explanations == GOOD


def test_a_class_that_fails_is_named_and_the_others_are_kept(tmp_path) -> None:
    out = tmp_path / "mine.json"
    writer = Scripted("No.", "No!", "Never.", "\n".join(GOOD))
    with pytest.raises(
        MgclError,
        match=r"class 'click': 3 answers of m break a rule, the last as there are 1 sentences, not 8 \(1 of 2 classes",
    ):
        write_explanations(("click", "hum"), writer, out, model="m")
    assert list(read_explanations(out)) == ["hum"]
    assert len(stored(out)) == 4


def test_what_was_written_by_hand_stays(tmp_path) -> None:
    out = tmp_path / "mine.json"
    out.write_text(json.dumps({"click": {"prompt": "a click", "explanations": GOOD[::-1]}}))
    written = write_explanations(("hum", "click"), Scripted("\n".join(GOOD)), out, model="m")
    assert list(written) == ["hum", "click"]
    assert read_explanations(out)["click"].prompt == "a click"
    assert read_explanations(out)["click"].explanations == GOOD[::-1]


def test_another_model_is_asked_anew(tmp_path) -> None:
    out = tmp_path / "mine.json"
    for model in ("one", "two"):
        out.unlink(missing_ok=True)
        writer = Scripted("\n".join(GOOD))
        write_explanations(("hum",), writer, out, model=model)
        assert len(writer.asked) == 1
    assert [each["model"] for each in stored(out)] == ["one", "two"]


def test_a_random_language_model_is_refused_and_its_answers_kept(tmp_path, capfd) -> None:
    out = tmp_path / "mine.json"
    model = checkpoints.language_model(tmp_path / "model")
    with pytest.raises(MgclError, match=r"class 'hum': 3 answers of .* break a rule, the last as there are"):
        write_explanations(("hum",), transformers_writer(model), out, model="random")
    assert not out.exists()
    answers = stored(out)
    assert answers[0]["prompt"] == question("hum", [])
    assert all(answer["answer"].strip() for answer in answers)
    again = Scripted()
    with pytest.raises(MgclError, match="class 'hum'"):
        write_explanations(("hum",), again, out, model="random")
    assert again.asked == []
    lines = capfd.readouterr().err.replace("\r", "\n").splitlines()
    assert not [line for line in lines if line and "explaining classes" not in line]


def test_a_prompt_that_is_too_long_is_refused(tmp_path) -> None:
    write = transformers_writer(checkpoints.language_model(tmp_path))
    with pytest.raises(MgclError, match=r"reads no prompt of [0-9]+ tokens; choose a model with a longer context"):
        write("on and on " * 1000)


def test_templates_are_a_class_in_eight_sentences() -> None:
    text = from_templates(["Church_bells"])["Church_bells"]
    assert text.prompt == text.explanations[0] == prompt("Church_bells")
    assert len(set(text.explanations)) == len(TEMPLATES) == 8
    assert all("church bells" in sentence for sentence in text.explanations)


def test_any_equal_number_of_explanations_is_read(tmp_path) -> None:
    (tmp_path / "mine.json").write_text('{"hum": {"explanations": ["low"]}, "click": {"explanations": ["short"]}}')
    texts = read_explanations(tmp_path / "mine.json")
    assert (texts["hum"].explanations, texts["hum"].prompt) == (("low",), "the sound of hum")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", r"mine\.json: not json"),
        ("[]", r"mine\.json: holds no classes; its form is"),
        ('{"hum": ["low"]}', """class 'hum' has no list "explanations\""""),
        ('{"hum": {"explanations": []}}', """class 'hum' has no list "explanations\""""),
        ('{"hum": {"explanations": ["low", " "]}}', "class 'hum': ' ' is no sentence"),
        ('{"hum": {"explanations": [3]}}', "class 'hum': 3 is no sentence"),
        (
            '{"hum": {"explanations": ["low", "dull"]}, "click": {"explanations": ["short"]}}',
            "class 'click' has 1 explanations and 'hum' 2; give all as many",
        ),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, content, words) -> None:
    (tmp_path / "mine.json").write_text(content)
    with pytest.raises(DataError, match=words):
        read_explanations(tmp_path / "mine.json")


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path) -> None:
    with pytest.raises(DataError, match=r"mine\.json: no such file; `mgcl explain-classes"):
        read_explanations(tmp_path / "mine.json")
    (tmp_path / "mine.json").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"mine\.json: not UTF-8"):
        read_explanations(tmp_path / "mine.json")
