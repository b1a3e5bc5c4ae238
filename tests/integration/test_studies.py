"""Search without Ray: what is asked, how points are proposed, what is kept, and what is handed over."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from mgcl.errors import SearchError, SweepError
from mgcl.features import FeatureBank
from mgcl.features.writer import write_bank
from mgcl.records import Fold
from mgcl.search import main, pictures, report
from mgcl.search.questions import Question, common, questions, space_of
from mgcl.search.replay import Surrogate, best_so_far, design
from mgcl.search.report import Finding
from mgcl.search.sampling import SAMPLERS, SteadySampler, distributions
from mgcl.search.space import MORE, SPACE, Range
from mgcl.search.study import best, complete, default_point, ended, figure_of, known_points, open_study
from mgcl.sweep.chosen import Choice, Chosen, read_chosen, write_chosen
from mgcl.sweep.grid import plan
from mgcl.sweep.trial import run_trial, similarity_store
from mgcl.tasks._development import development
from tests import cases
from tests.generated_bank import write_generated_bank
from tests.unit.test_sweep_files import sweep_file

pytestmark = pytest.mark.usefixtures("unchecked_shapes")
SEARCH = cases.search("s", ways=(2,), shots=(1,), queries=5, episodes=2, batches=3)
LABELS = [f"class_{index:02}" for index in range(12)]


def fold(index: int, *classes: int) -> Fold:
    return Fold("seeded", index, tuple(LABELS[each] for each in classes))


def classes(*found: Fold) -> set[str]:
    return {label for each in found for label in each.classes}


def test_each_fold_is_searched_on_the_classes_outside_it() -> None:
    folds = [fold(0, 0, 1, 2, 3), fold(1, 2, 3, 4, 5)]
    found = development("d", folds, LABELS, way=5, shared=False)
    assert [each.tests for each in found] == [(folds[0],), (folds[1],)]
    for each in found:
        assert classes(each.validation) == set(LABELS) - classes(*each.tests)


def test_a_shared_search_looks_outside_every_fold() -> None:
    folds = [fold(0, 0, 1, 2, 3), fold(1, 2, 3, 4, 5)]
    (found,) = development("d", folds, LABELS, way=5, shared=True)
    assert found.tests == tuple(folds)
    assert classes(found.validation) == set(LABELS[6:])


def test_one_fold_of_all_classes_is_cut_into_disjoint_halves() -> None:
    (found,) = development("d", [Fold("all", 0, tuple(LABELS))], LABELS, way=5, shared=False)
    assert classes(*found.tests).isdisjoint(classes(found.validation))
    assert classes(*found.tests, found.validation) == set(LABELS)
    (other,) = development("another", [Fold("all", 0, tuple(LABELS))], LABELS, way=5, shared=False)
    assert other.validation != found.validation


@pytest.mark.parametrize("shared", [False, True])
def test_too_few_validation_classes(shared: bool) -> None:
    with pytest.raises(SearchError, match="outside fold 0 only 2 classes are left, too few for 5-way"):
        development("d", [fold(0, *range(10))], LABELS, way=5, shared=shared)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Range(2, 1), "the range 2 to 1 is empty"),
        (lambda: Range(1, 1), "the range 1 to 1 is empty"),
        (lambda: Range(0, float("nan")), "is empty"),
        (lambda: Range(0, 1, log=True), "choose a lower end above 0"),
        (lambda: Range(0.5, 2, whole=True), "is of whole numbers"),
    ],
)
def test_ranges_that_are_none(make, words: str) -> None:
    with pytest.raises(SearchError, match=words):
        make()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"space": {"epsilon": Range(-1, 0.5)}}, "the range -1 to 0.5 of epsilon: epsilon"),
        ({"space": {"epsilon": Range(0, 0.5)}}, "the range 0 to 0.5 of epsilon: epsilon"),
        ({"space": {"entropy_weight": Range(-0.1, 0.5)}}, "of entropy_weight: entropy_weight"),
        ({"space": {"sharpness": Range(1, 2)}}, "mgcl has no such parameter"),
        ({"space": {}}, "names nothing"),
        ({"sampler": "grid"}, "`sampler` grid: choose tpe or random"),
        ({"variant": "fullest"}, "no variant is called 'fullest'"),
        ({"batches": 0}, "choose 1 or more"),
        ({"variant": "without-training", "space": dict(MORE)}, "'without-training' is about epochs"),
        ({"ways": (7,)}, "only 3 classes are left, too few for 7-way"),
    ],
)
def test_searches_that_cannot_be(bank, changes, words: str) -> None:
    with pytest.raises(SearchError, match=words):
        questions(cases.changed_sweep(SEARCH, **changes), bank)


def test_every_row_of_a_sweep_can_be_searched_from_its_own_values(audio_visual_bank) -> None:
    rows = sweep_file("audio_visual").SWEEP.variants
    general = sweep_file("search").GENERALISED
    spaces = {row: space_of(replace(general, variant=row)) for row in rows}
    for row, space in ((row, spaces[row]) for row in ("av-diff", "avca", "prototypes")):
        (question,) = questions(
            replace(general, variant=row, space=space, draws=replace(general.draws, shots=(2,))), audio_visual_bank
        )
        assert question.default_inside, row
    assert set(spaces["av-diff"]) == set(general.space) - {"scale"}
    assert "diffusion_steps" not in spaces["mbt"]
    assert (spaces["avca"]["depth"].low, spaces["mbt"]["depth"].low) == (1, 2)
    with pytest.raises(SearchError, match="zero_shot has none of learning_rate, "):
        space_of(replace(general, variant="zero-shot"))


def test_the_task_chooses_the_search(capsys) -> None:
    searches = sweep_file("search")
    with pytest.raises(SystemExit) as ended:
        main(searches.SEARCH, searches.GENERALISED, arguments=["--task", "generalised", "--variant", "zero-shot"])
    assert ended.value.code == 2
    assert "has none of learning_rate" in capsys.readouterr().err


def test_every_batch_has_its_own_episodes(bank) -> None:
    (question,) = questions(cases.changed_sweep(SEARCH, shots=(1, 3)), bank)
    assert [[(trial.cell.shot, trial.cell.seed) for trial in batch] for batch in question.batches] == [
        [(1, 0), (3, 0)],
        [(1, 1), (3, 1)],
        [(1, 2), (3, 2)],
    ]
    assert question.default == {name: question.batches[0][0].parameters[name] for name in SPACE}


def test_a_study_a_shot(bank) -> None:
    found = questions(cases.changed_sweep(SEARCH, shots=(1, 3), apart=True), bank)
    assert [(each.apart, {trial.cell.shot for batch in each.batches for trial in batch}) for each in found] == [
        (1, {1}),
        (3, {3}),
    ]
    assert len({each.name for each in found}) == 2


def test_the_banks_logit_scale_is_the_default(bank) -> None:
    (question,) = questions(cases.changed_sweep(SEARCH, space=dict(MORE)), bank)
    assert question.default["logit_scale"] == bank.header.logit_scale
    assert question.typed({"epochs": 3, "leave_one_out": 1}) == {"epochs": 3, "leave_one_out": True}


def test_one_study_of_several_banks(bank, tmp_path) -> None:
    other = write_generated_bank(tmp_path / "other", classes=8, clips=10, segments=2, d=4, seed=1)
    object.__setattr__(other, "header", replace(other.header, dataset="other", logit_scale=10.0))
    search = cases.changed_sweep(SEARCH, shots=(1, 3), space=dict(MORE), shared=True)
    per_bank = [questions(search, each)[0] for each in (bank, other)]
    one = common(per_bank)
    assert common(per_bank[:1]) is per_bank[0]
    assert one.name == "s/generated and other/drawn and drawn/full/half 0"
    assert one.banks == (bank.digest, other.digest)
    assert [[(trial.dataset, trial.cell.shot, trial.cell.seed) for trial in batch] for batch in one.batches[:2]] == [
        [(name, shot, seed) for name in ("generated", "other") for shot in (1, 3)] for seed in (0, 1)
    ]
    assert one.tests == per_bank[0].tests + per_bank[1].tests
    assert math.isnan(one.default["logit_scale"]), "the banks' own"
    assert not one.default_inside
    assert one.default["epochs"] == 20


@pytest.fixture
def question(bank) -> Question:
    return questions(SEARCH, bank)[0]


@pytest.fixture
def storage(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'studies.db'}"


def accuracy(values: dict[str, float]) -> float:
    return 1 / (1 + (values["alpha"] - 3) ** 2 + (values["epsilon"] - 0.2) ** 2)


def ask(study, question: Question) -> optuna.Trial:
    study.sampler = SteadySampler.of(question.sampler, question.seed)
    return study.ask(fixed_distributions=distributions(question.space))


def run(study, question: Question, points: int) -> None:
    while len(ended(study)) < points:
        point = ask(study, question)
        study.tell(point, accuracy(point.params))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_study_that_was_killed_goes_on_as_if_it_had_not_been(question, tmp_path, sampler: str) -> None:
    whole = 12 if sampler == "tpe" else 4  # its first ten points are random
    question = replace(question, sampler=sampler)
    with open_study(question, f"sqlite:///{tmp_path / 'whole.db'}") as study:
        run(study, question, whole)
        undisturbed = [(point.params, point.value) for point in ended(study)]
    storage = f"sqlite:///{tmp_path / 'killed.db'}"
    for points in (0, 1, whole - 2):
        with open_study(question, storage) as study:
            run(study, question, points)
            ask(study, question)  # under way when the process is killed
    assert known_points(question, storage) == whole - 2
    with open_study(question, storage) as study:
        run(study, question, whole)
        assert [(point.params, point.value) for point in ended(study)] == undisturbed
        assert len(study.get_trials(states=(TrialState.FAIL,))) == 3


def test_a_study_begins_with_the_variants_own_values(question, storage) -> None:
    with open_study(question, storage) as study:
        run(study, question, 3)
        own = default_point(study, question)
        assert own is not None
        assert own.params == question.default
        assert figure_of(own) == accuracy(question.default)


def test_own_values_outside_the_space_are_not_judged(bank, storage) -> None:
    (question,) = questions(cases.changed_sweep(SEARCH, space={"alpha": Range(2, 4), "epsilon": Range(0.2, 0.3)}), bank)
    with open_study(question, storage) as study:
        run(study, question, 3)
        assert default_point(study, question) is None


@pytest.mark.parametrize("changes", [{"space": {"alpha": Range(1, 2)}}, {"seed": 1}, {"queries": 6}])
def test_a_study_that_asks_something_else_is_refused(bank, question, storage, changes) -> None:
    with open_study(question, storage):
        pass
    (other,) = questions(cases.changed_sweep(SEARCH, **changes), bank)
    with pytest.raises(SearchError, match="searched another space, or on other draws"), open_study(other, storage):
        pass


def test_two_processes_on_one_study(question, storage) -> None:
    with (
        open_study(question, storage),
        pytest.raises(SearchError, match="another process is at work"),
        open_study(question, storage),
    ):
        pass


def test_a_database_that_is_none(question, tmp_path) -> None:
    (tmp_path / "studies.db").write_text("not a database, and long enough that SQLite sees it" * 50)
    with (
        pytest.raises(SearchError, match="the database does not answer"),
        open_study(question, f"sqlite:///{tmp_path / 'studies.db'}"),
    ):
        pass


def test_the_best_point_is_a_whole_one(question, storage) -> None:
    with open_study(question, storage) as study:
        with pytest.raises(SearchError, match="no point is complete"):
            best(study)
        run(study, question, 4)
        point = ask(study, question)
        point.report(0.99, 1)
        study.tell(point, state=TrialState.PRUNED)
        assert figure_of(best(study)) == max(map(figure_of, complete(study)))
        assert len(ended(study)) == 5


def poisoned(there: FeatureBank, labels: set[str], to: Path) -> FeatureBank:
    """A bank whose clips of some classes are noise."""
    random = np.random.default_rng(0)
    clips, classes = there.clips, there.classes
    bad = np.isin(np.array(clips["label"].to_pylist()), list(labels))

    def spoiled(array):
        noise = random.standard_normal(array.shape).astype(np.float32)
        return np.where(bad.reshape(-1, *[1] * (array.ndim - 1)), noise, array)

    return write_bank(
        to,
        there.header,
        {
            **{name: clips[name].to_pylist() for name in ("clip_id", "label", "caption", "source")},
            "clip_embedding": spoiled(there.clip_embeddings),
            "caption_embedding": spoiled(there.caption_embeddings),
            "segment_embeddings": spoiled(there.segment_embeddings),
        },
        {
            **{name: classes[name].to_pylist() for name in ("label", "prompt", "explanations")},
            "prompt_embedding": there.prompt_embeddings,
            "explanation_embeddings": there.explanation_embeddings,
        },
    )


def test_poisoned_test_clips_change_nothing(bank, tmp_path) -> None:
    space = {"alpha": SPACE["alpha"], "beta": SPACE["beta"]}
    search = cases.changed_sweep(SEARCH, variant="without-training", ways=(3,), batches=1, space=space)
    (question,) = questions(search, bank)
    tested = classes(*question.tests)
    searched = classes(*(trial.cell.fold for batch in question.batches for trial in batch))
    banks = {
        "as it is": bank,
        "tests poisoned": poisoned(bank, tested, tmp_path / "tests"),
        "all poisoned": poisoned(bank, tested | searched, tmp_path / "all"),
    }
    found = {}
    for name, each in banks.items():
        (question,) = questions(search, each)
        similarities = similarity_store(each)
        with open_study(question, f"sqlite:///{tmp_path / name}.db") as study:
            while len(ended(study)) < 4:
                point = ask(study, question)
                trials = [trial for batch in question.at(point.params) for trial in batch]
                accuracies = [run_trial(trial, each, similarities=similarities).mean("accuracy") for trial in trials]
                study.tell(point, sum(accuracies) / len(accuracies))
            found[name] = [(point.params, point.value) for point in ended(study)]
    assert found["tests poisoned"] == found["as it is"]
    assert found["all poisoned"] != found["as it is"], "the poison is one"


CHOSEN = Chosen("few_shot", "b" * 64, "full", (Choice((fold(0, 0, 1), fold(1, 1, 2)), 5, {"alpha": 2.5}, 0.75, 60),))


def test_what_is_written_is_read(tmp_path) -> None:
    write_chosen(tmp_path / "params.json", CHOSEN)
    assert read_chosen(tmp_path / "params.json", CHOSEN.bank, "few_shot") == CHOSEN


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        ("", "not what `mgcl sweep search` writes"),
        ("[]", "not what `mgcl sweep search` writes"),
        ('{"format": 2}', "format 2, not 1"),
        (json.dumps({"format": 1, "bank": "c" * 64, "variant": "full", "choices": []}), "was searched on bank cccc"),
        (json.dumps({"format": 1, "bank": "b" * 64, "variant": "full", "choices": [{}]}), "not what"),
    ],
)
def test_files_that_are_no_choice(tmp_path, content: str | None, words: str) -> None:
    file = tmp_path / "params.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SweepError, match=words):
        read_chosen(file, CHOSEN.bank, "few_shot")


@pytest.fixture
def params(bank, question, tmp_path) -> Path:
    choice = Choice(question.tests, None, {"alpha": 2.5, "beta": 7.0}, 0.75, 60)
    write_chosen(tmp_path / "params.json", Chosen("few_shot", bank.digest, "full", (choice,)))
    return tmp_path / "params.json"


SWEEP = cases.sweep("s", ("full", "zero-shot", "without-cache"), ways=(2,), shots=(1, 3), queries=5, episodes=4)


def test_searched_values_stand_beside_the_variants_own(bank, question, params) -> None:
    cells = plan(cases.changed_sweep(SWEEP, params=(str(params),)), bank)
    rows = {(cell.variants, cell.trial.cell.shot): cell.trial for cell in cells}
    name = read_chosen(params, bank.digest, "few_shot").name
    searched = f"full (searched {name})"
    assert {names for names, _ in rows} == {
        ("full",),
        (searched,),
        ("zero-shot",),
        ("without-cache",),
        (f"without-cache (searched {name})",),
    }
    assert next(cell.searched for cell in cells if cell.variants == (searched,)) == {searched: "full"}
    assert {cell.trial.cell.fold for cell in cells} == set(question.tests)
    own, found = rows[("full",), 3].parameters, rows[(searched,), 3].parameters
    assert found == {**own, "alpha": 2.5, "beta": 7.0}


def test_values_of_another_shot_are_not_used(bank, question, params) -> None:
    choice = Choice(question.tests, 1, {"alpha": 2.5}, 0.75, 60)
    write_chosen(params, Chosen("few_shot", bank.digest, "full", (choice,)))
    with pytest.raises(SweepError, match="no values were searched for half 0 3-shot"):
        plan(cases.changed_sweep(SWEEP, params=(str(params),)), bank)


def test_the_folds_are_the_files(bank, params) -> None:
    with pytest.raises(SweepError, match="`params` says which folds"):
        plan(cases.changed_sweep(SWEEP, params=(str(params),), folds=2, fold_classes=4), bank)


SMOOTH = {"alpha": Range(0.1, 10, log=True), "epsilon": Range(0.03, 0.5, log=True), "epochs": Range(1, 20, whole=True)}


def smooth(values: dict[str, float]) -> float:
    return 0.8 - 0.1 * np.log(values["alpha"] / 2) ** 2 - 0.05 * np.log(values["epsilon"] / 0.1) ** 2


def test_a_design_lies_in_its_space_and_is_seeded() -> None:
    points = design(SMOOTH, 50, seed=3)
    assert points == design(SMOOTH, 50, seed=3) != design(SMOOTH, 50, seed=4)
    assert len(points) == 50
    for name, each in SMOOTH.items():
        column = [point[name] for point in points]
        assert each.low <= min(column) < max(column) <= each.high
    assert {type(point["epochs"]) for point in points} == {int}


def test_a_replay_finds_what_the_regressor_thinks_best() -> None:
    study, noise = optuna.create_study(direction="maximize"), np.random.default_rng(0)
    for point in design(SMOOTH, 40, seed=0):
        study.enqueue_trial(point)
        trial = study.ask(fixed_distributions=distributions(SMOOTH))
        study.tell(trial, smooth(trial.params) + 0.01 * noise.standard_normal())
    surrogate = Surrogate.fit(SMOOTH, study.trials)
    assert surrogate.r2 > 0.9
    assert surrogate({"alpha": 2, "epsilon": 0.1, "epochs": 5}) == pytest.approx(0.8, abs=0.02)
    curve = best_so_far(surrogate, "tpe", seed=0, points=14)
    assert curve.shape == (14,)
    assert (np.diff(curve) >= 0).all()
    assert (curve == best_so_far(surrogate, "tpe", seed=0, points=14)).all()
    assert (curve != best_so_far(surrogate, "random", seed=0, points=14)).any()


def test_a_report_shows_what_was_found(question, storage, tmp_path) -> None:
    with open_study(question, storage) as study:
        run(study, question, 10)
        choice = Choice(question.tests, None, question.typed(best(study).params), figure_of(best(study)), 10)
        shares = pictures.importances(study)
        drawn = pictures.draw(study, tmp_path, "all-0")
    assert sum(shares.values()) == pytest.approx(1)
    assert set(list(shares)[:2]) <= {"alpha", "epsilon"} | set(SPACE)
    assert [file.name for file in drawn] == [
        f"all-0-{name}.png" for name in ("history", "slices", "importances", "contours")
    ]
    assert all(file.read_bytes().startswith(b"\x89PNG") and file.stat().st_size > 5000 for file in drawn)
    page = report.page(
        "search", [Finding(question, choice, 0.5, 2, 0, shares, drawn)], {tmp_path / "params.json": "the test"}
    )
    for words in ("10 (2 stopped early, 0 failed)", "50.0", "params.json", "    the test", "(all-0-history.png)"):
        assert words in page


def test_few_or_equal_points_say_nothing_of_importance(question, storage, tmp_path) -> None:
    with open_study(question, storage) as study:
        run(study, question, 2)
        assert pictures.importances(study) == {}
        assert [file.name for file in pictures.draw(study, tmp_path, "x")] == ["x-history.png", "x-slices.png"]
