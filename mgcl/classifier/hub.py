"""Models on the Hugging Face hub: published as one commit, and opened at a commit, ``hub:OWNER/NAME@COMMIT``."""

import re
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HFValidationError

from mgcl.classifier import storage
from mgcl.errors import ClassifierError
from mgcl.pretrained import HUB_ERRORS, pinned_folder

PREFIX = "hub:"
_FRONT_MATTER = "---\nlibrary_name: mgcl\npipeline_tag: audio-classification\n---\n\n"


def local_folder(model: str | Path) -> Path:
    """Folder of a model: the given one, or a copy of ``hub:OWNER/NAME@COMMIT`` in the hub's cache.

    Raises:
        BackboneError: the commit is not named, or the hub does not give the model.
    """
    if not str(model).startswith(PREFIX):
        return Path(model)
    return pinned_folder(str(model).removeprefix(PREFIX), (storage.FACTS, storage.TENSORS))


def check_local(model: str | Path) -> None:
    """Check that a model is a folder, which can be changed.

    Raises:
        ClassifierError: the model is on the hub.
    """
    if str(model).startswith(PREFIX):
        repository, _, commit = str(model).removeprefix(PREFIX).partition("@")
        raise ClassifierError(
            f"{model}: a commit of the hub does not change; copy it with `hf download {repository} --revision {commit} "
            "--local-dir DIR`, and name DIR"
        )


def push(folder: Path, repository: str, *, private: bool = True) -> str:
    """Publish a model with its card as one commit. The repository is made if it is missing.

    Args:
        folder: folder of the model.
        repository: OWNER/NAME.
        private: whether a repository that is made is private.

    Returns:
        ``hub:OWNER/NAME@COMMIT``, by which the model is opened.

    Raises:
        DataError: the folder holds no model, or it was changed.
        ClassifierError: the name has another form, or the hub does not take the model.
    """
    from mgcl.classifier.card import card  # pandas takes a while to import, and opening a model needs none of it

    if re.fullmatch(r"[\w.-]+/[\w.-]+", repository) is None:
        raise ClassifierError(f"{repository}: a repository of the hub is OWNER/NAME")
    text = _FRONT_MATTER + card(*storage.read(folder), repository.partition("/")[2])
    files = [CommitOperationAdd(name, folder / name) for name in (storage.FACTS, storage.TENSORS)]
    files.append(CommitOperationAdd("README.md", text.encode()))
    api = HfApi()
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        made = api.create_commit(repository, files, commit_message="Model of mgcl")
    except (*HUB_ERRORS, HFValidationError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ClassifierError(
            f"{repository}: the hub does not take the model ({reason}); run the command where there is a network, "
            "log in with `hf auth login`, with a token that may write there, and check the name"
        ) from None
    return f"{PREFIX}{repository}@{made.oid}"
