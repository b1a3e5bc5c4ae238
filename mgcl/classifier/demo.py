"""A web page to try a classifier: visitors classify clips and add classes. Nothing leaves the machine."""

import re
import threading
import time
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import gradio
from gradio.utils import get_upload_folder
from markupsafe import escape

from mgcl.classifier import storage
from mgcl.classifier.estimator import FewShotClassifier
from mgcl.classifier.page import title, why
from mgcl.errors import ClassifierError, MgclError, gathered_warnings, with_flags


@dataclass
class Session:
    """One classifier that all visitors share. It runs one job at a time, since fitting and drawing need one thread."""

    classifier: FewShotClassifier
    folder: Path
    """The folder of the model."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """Parameter -> command-line flag of the command that serves the session, for messages."""
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._opened = self._facts()

    def _facts(self) -> bytes:
        """Bytes of the model's description in its folder, which include the digest of its tensors; empty if missing."""
        file = self.folder / storage.FACTS
        return file.read_bytes() if file.is_file() else b""

    def known(self) -> str:
        """A sentence that lists the classes."""
        return f"The classes are {', '.join(map(str, self.classifier.classes_))}."

    def classify(self, clip: str | None) -> tuple[dict[str, float] | None, str]:
        """Recognise a clip.

        Returns:
            The probability by class and the reasons as html; for a faulty clip None and the fault as html.
        """
        if clip is None:
            return None, ""
        try:
            with self._busy:
                sound = self.classifier.sound(clip)
                reasons = self.classifier.explain(sound)
                named = replace(reasons, answer=replace(reasons.answer, clip=Path(clip).name))
                drawn = why(named, sound, self.classifier.sample_rate_, name="clip")
        except MgclError as error:
            return None, f'<p role="alert">{escape(self._for_visitors(error))}</p>'
        probabilities = {str(label): share for label, share in named.answer.probabilities.items()}
        return probabilities, f"<h2>{escape(title(named))}</h2>\n{drawn}"

    def add_class(self, name: str, clips: Sequence[str] | None, sentences: str) -> str:
        """Add a class, or add clips to a known class.

        Args:
            name: the class's name.
            clips: paths of the class's clips.
            sentences: explanations of the class, one per line; empty: plain sentences with its name.

        Returns:
            The outcome, in sentences.
        """
        label = name.strip()
        if not label or not clips:
            return "Give the class a name and a few clips."
        lines = [line.strip() for line in sentences.splitlines() if line.strip()]
        try:
            with self._busy, gathered_warnings() as warned:
                before = len(self.classifier.model_.examples.names)
                self.classifier.add_classes(clips, [label] * len(clips), {label: lines} if lines else None)
                count = len(self.classifier.model_.examples.names) - before
                clips_learnt = "1 clip" if count == 1 else f"{count} clips"
                learnt = f"Learnt {label} from {clips_learnt}; it is not saved yet."
                outcome = f"{learnt if count else 'Nothing is new in these clips: they count once.'} {self.known()}"
        except (MgclError, ValueError) as error:
            return self._for_visitors(error)
        return self._for_visitors("\n".join([outcome, *warned]))

    def keep(self) -> str:
        """Save the classifier to the folder that it was loaded from.

        Returns:
            A sentence with the folder, or with the reason why it was not saved.
        """
        try:
            with self._busy:
                if self._facts() != self._opened:
                    return f"{self.folder} holds another model by now: start the demo again, which opens that one."
                self.classifier.save(self.folder)
                self._opened = self._facts()
        except OSError as error:
            return f"{error.filename or self.folder}: {error.strerror}; mend that, and keep it again"
        return f"Saved in {self.folder.absolute()}: {len(self.classifier.classes_)} classes."

    def _for_visitors(self, message: object) -> str:
        """The message without the folders of uploaded copies: visitors know a file by its name alone."""
        return re.sub(rf"{re.escape(get_upload_folder())}/\w+/", "", with_flags(message, self.flags))


def serve(session: Session, *, host: str, port: int, browser: bool) -> None:
    """Serve the page until the process is interrupted.

    Args:
        session: the session that all visitors share.
        host: address to listen on.
        port: port to listen on; it must be free.
        browser: whether to open the page in a browser.

    Raises:
        ClassifierError: the classifier was fitted with captions of the user's, which a visitor's clip lacks.
    """
    if session.classifier.model_.own_captions:
        raise ClassifierError(
            f"{session.folder}: was fitted with captions of your own, which a clip on a page has not; "
            "use `mgcl predict` with captions, or fit without them"
        )
    blocks = page(session)
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


def page(session: Session) -> gradio.Blocks:
    """Build the web page, whose events call the methods of ``session``."""
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
                placeholder="one sentence per line, as many as others have",
            )
            with gradio.Row():
                add, keep = gradio.Button("Add", variant="primary"), gradio.Button(f"Keep in {session.folder}")
            outcome = gradio.Textbox(session.known, label="Outcome", interactive=False, lines=2)
        clip.change(session.classify, clip, [classes, reasons], api_name="classify")
        add.click(session.add_class, [name, clips, sentences], outcome, api_name="add_class")
        keep.click(session.keep, None, outcome, api_name="keep")
    return blocks


def _theme() -> gradio.themes.Base:
    """A theme with the machine's own fonts, so that no font is fetched from the network."""
    return gradio.themes.Default(
        font=[gradio.themes.Font("system-ui"), gradio.themes.Font("sans-serif")],
        font_mono=[gradio.themes.Font("monospace")],
    )
