"""Text generators that may be asked for explanations: a model on this machine, or one behind an endpoint."""

import os

from mgcl.errors import MgclError
from mgcl.language.writing import Writer

_LONGEST = 1000
"""Tokens of an answer; eight sentences are about 250."""
_RETRIES = 5
"""Of a request that the endpoint refuses for the moment; the client waits longer each time."""


def endpoint_writer(url: str, model: str) -> Writer:
    """A chat model behind any endpoint that speaks OpenAI's protocol; its key, if it wants one, is in OPENAI_API_KEY.

    Args:
        url: up to and without ``/chat/completions``.
        model: its name there.

    Raises:
        MgclError: from the writer, the endpoint does not answer, or asks for another key. No message holds it.
    """
    key = os.environ.get("OPENAI_API_KEY", "")
    import openai

    client = openai.OpenAI(base_url=url, api_key=key or "none", max_retries=_RETRIES)

    def write(prompt: str) -> str:
        try:
            answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": prompt}])
            return answer.choices[0].message.content or ""
        except (openai.AuthenticationError, openai.PermissionDeniedError):
            # What it says may quote the key.
            wrong = (
                "refuses the key in OPENAI_API_KEY, or it may not use"
                if key
                else "asks for a key in OPENAI_API_KEY for"
            )
            raise MgclError(f"{url}: {wrong} {model}") from None
        except (openai.OpenAIError, ValueError, IndexError, TypeError, AttributeError) as error:
            reason = (str(error).splitlines() or [""])[0].replace(key or "***", "***")
            raise MgclError(
                f"{url}: no answer of {model} ({type(error).__name__}: {reason}); see that the URL goes up to and "
                "without /chat/completions, and run this again: what it answered so far is kept"
            ) from None

    return write


def transformers_writer(model: str, device: str = "cpu") -> Writer:
    """A language model on this machine, asked greedily; in its chat form if it has one.

    Args:
        model: an id on the Hugging Face hub, or a folder.
        device: a torch device.

    Raises:
        MgclError: it cannot be loaded; later, from the writer, a prompt is too long for it.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from mgcl.pretrained import load_model, load_part, quietly

    tokenizer = load_part(AutoTokenizer, model)
    network = load_model(AutoModelForCausalLM, model, device)

    def write(prompt: str) -> str:
        text = prompt
        if tokenizer.chat_template:
            turn = {"role": "user", "content": prompt}
            text = tokenizer.apply_chat_template([turn], add_generation_prompt=True, tokenize=False)
        # A chat template writes the special tokens itself.
        inputs = tokenizer(text, add_special_tokens=not tokenizer.chat_template, return_tensors="pt").to(device)
        asked = inputs["input_ids"].shape[1]
        room = getattr(network.config, "max_position_embeddings", asked + _LONGEST) - asked
        if room < 1:
            raise MgclError(f"{model}: reads no prompt of {asked} tokens; choose a model with a longer context")
        with quietly(), torch.inference_mode():
            tokens = network.generate(**inputs, do_sample=False, num_beams=1, max_new_tokens=min(room, _LONGEST))
        return str(tokenizer.decode(tokens[0, asked:], skip_special_tokens=True))

    return write
