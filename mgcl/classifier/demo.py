"""A page to try a classifier in a browser: give it a clip, or another class. Nothing leaves the machine."""

import re
import threading
import time
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import gradio
from gradio.utils import get_upload_folder
from markupsafe import escape

from mgcl.classifier import storage
from mgcl.classifier.estimator import FewShotClassifier
from mgcl.classifier.page import title, why
from mgcl.errors import ClassifierError, MgclError, gathered_warnings


@dataclass
class Desk:
    """One classifier that all visitors share, and one job at a time: fitting and drawing are for one thread."""

    classifier: FewShotClassifier
    folder: Path
    """The model's."""
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._opened = self._facts()

    def _facts(self) -> bytes:
        """What the model's folder holds, but for its tensors, which the facts have the digest of."""
        file = self.folder / storage.FACTS
        return file.read_bytes() if file.is_file() else b""

    def known(self) -> str:
        """What it can answer, in words."""
        return f"The classes are {', '.join(map(str, self.classifier.classes_))}."

    def classify(self, clip: str | None) -> tuple[dict[str, float] | None, str]:
        """What a clip sounds like: probability by class, and why, as html; or what is wrong with the clip, as html."""
        if clip is None:
            return None, ""
        try:
            with self._busy:
                sound = self.classifier.sound(clip)
                reasons = self.classifier.explain(sound)
                named = replace(reasons, answer=replace(reasons.answer, clip=Path(clip).name))
                drawn = why(named, sound, self.classifier.sample_rate_, name="clip")
        except MgclError as error:
            return None, f'<p role="alert">{escape(_without_upload_folders(error))}</p>'
        probabilities = {str(label): share for label, share in named.answer.probabilities.items()}
        return probabilities, f"<h2>{escape(title(named))}</h2>\n{drawn}"

    def add_class(self, name: str, clips: Sequence[str] | None, sentences: str) -> str:
        """Learn a class, or more of a known one; says how that went.

        Args:
            name: of the class.
            clips: its files.
            sentences: what it sounds like, a sentence a line; none: plain sentences with its name.
        """
        label = name.strip()
        if not label or not clips:
            return "Give the class a name and a few clips."
        said = [line.strip() for line in sentences.splitlines() if line.strip()]
        try:
            with self._busy, gathered_warnings() as warned:
                before = len(self.classifier.model_.examples.names)
                self.classifier.add_classes(clips, [label] * len(clips), {label: said} if said else None)
                count = len(self.classifier.model_.examples.names) - before
                what = f"Learnt {label} from {count} clip{'s'[: count - 1]}; it is not kept yet."
                learnt = f"{what if count else 'Nothing is new in these clips: they count once.'} {self.known()}"
        except (MgclError, ValueError) as error:
            return _without_upload_folders(error)
        return _without_upload_folders("\n".join([learnt, *warned]))

    def keep(self) -> str:
        """Save the classifier over the model that it came from; says where."""
        try:
            with self._busy:
                if self._facts() != self._opened:
                    return f"{self.folder} holds another model by now: start the demo again, which opens that one."
                self.classifier.save(self.folder)
                self._opened = self._facts()
        except OSError as error:
            return f"{error.filename or self.folder}: {error.strerror}; mend that, and keep it again"
        return f"Kept in {self.folder.absolute()}: {len(self.classifier.classes_)} classes."


def serve(desk: Desk, *, host: str, port: int, browser: bool) -> None:
    """Answer visitors until the process is told to end.

    Args:
        desk: that they come to.
        host: to listen to.
        port: to listen to; it is free.
        browser: open the page.

    Raises:
        ClassifierError: the classifier goes by captions of a user's own, which a visitor's clip has not.
    """
    if desk.classifier.model_.own_captions:
        raise ClassifierError(
            f"{desk.folder}: was fitted with captions of your own, which a clip on a page has not; "
            "use `mgcl predict` with captions, or fit without them"
        )
    blocks = page(desk)
    _, address, _ = blocks.launch(
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        server_name=host,
        server_port=port,
        theme=_theme(),
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        pwa=False,
        enable_monitoring=False,
        mcp_server=False,
    )
    try:
        print(f"demo: {address}\nCtrl-C ends it", flush=True)
        if browser:
            webbrowser.open(address)
        while True:
            time.sleep(3600)
    finally:
        blocks.close(verbose=False)


def page(desk: Desk) -> gradio.Blocks:
    """What visitors see."""
    blocks = gradio.Blocks(title="mgcl", analytics_enabled=False)
    with blocks:
        with gradio.Tab("What is this?"), gradio.Row():
            with gradio.Column(scale=1):
                clip = gradio.Audio(
                    sources=["upload", "microphone"], type="filepath", label="Drop or record a clip", buttons=[]
                )
                classes = gradio.Label(label="Classes", num_top_classes=5)
            with gradio.Column(scale=2):
                reasons = gradio.HTML(css_template="svg { max-width: 100%; height: auto; }")
        with gradio.Tab("Add a class"):
            name = gradio.Textbox(label="Name", placeholder="what the class is called")
            clips = gradio.File(label="A few clips of it", file_count="multiple")
            sentences = gradio.Textbox(
                label="What it sounds like (if you like)",
                lines=3,
                placeholder="a sentence a line, as many as others have",
            )
            with gradio.Row():
                add, keep = gradio.Button("Add", variant="primary"), gradio.Button(f"Keep in {desk.folder}")
            outcome = gradio.Textbox(desk.known, label="Outcome", interactive=False, lines=2)
        clip.change(desk.classify, clip, [classes, reasons], api_name="classify")
        add.click(desk.add_class, [name, clips, sentences], outcome, api_name="add_class")
        keep.click(desk.keep, None, outcome, api_name="keep")
    return blocks


def _theme() -> gradio.themes.Base:
    """With the machine's own fonts: none is fetched."""
    return gradio.themes.Default(
        font=[gradio.themes.Font("system-ui"), gradio.themes.Font("sans-serif")],
        font_mono=[gradio.themes.Font("monospace")],
    )


def _without_upload_folders(said: object) -> str:
    """A visitor knows a file by its name, not by where its copy lies."""
    return re.sub(rf"{re.escape(get_upload_folder())}/\w+/", "", str(said))
