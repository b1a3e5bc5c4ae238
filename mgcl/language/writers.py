"""Text generators that write explanations: a model on this machine, or one behind an endpoint."""

import os

from mgcl.errors import MgclError
from mgcl.language.writing import Writer

_LONGEST = 1000
"""Greatest number of tokens of an answer; eight sentences have about 250."""
_RETRIES = 5
"""Number of retries of a request that the endpoint refuses temporarily; the waits between them grow."""


def endpoint_writer(url: str, model: str) -> Writer:
    """A writer that queries a chat model behind an endpoint with OpenAI's protocol.

    The key, if the endpoint needs one, is read from the environment variable OPENAI_API_KEY.

    Args:
        url: address of the endpoint, without the final ``/chat/completions``.
        model: name of the model at the endpoint.

    Raises:
        MgclError: raised by the writer, not here: the endpoint does not answer, or refuses the key. No message holds
            the key.
    """
    key = os.environ.get("OPENAI_API_KEY", "")
    import openai

    client = openai.OpenAI(base_url=url, api_key=key or "none", max_retries=_RETRIES)

    def write(prompt: str) -> str:
        try:
            answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": prompt}])
            return answer.choices[0].message.content or ""
        except (openai.AuthenticationError, openai.PermissionDeniedError):
            # The endpoint's message may quote the key, so it is not shown.
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
    """A writer that runs a language model on this machine, with greedy decoding and its chat template if it has one.

    Args:
        model: an id on the Hugging Face hub, or a folder.
        device: torch device of the model.

    Raises:
        MgclError: the model cannot be loaded; also raised by the writer for a prompt that is too long for the model.
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
        # A chat template adds the special tokens itself.
        inputs = tokenizer(text, add_special_tokens=not tokenizer.chat_template, return_tensors="pt").to(device)
        asked = inputs["input_ids"].shape[1]
        room = getattr(network.config, "max_position_embeddings", asked + _LONGEST) - asked
        if room < 1:
            raise MgclError(f"{model}: reads no prompt of {asked} tokens; choose a model with a longer context")
        with quietly(), torch.inference_mode():
            tokens = network.generate(**inputs, do_sample=False, num_beams=1, max_new_tokens=min(room, _LONGEST))
        return str(tokenizer.decode(tokens[0, asked:], skip_special_tokens=True))

    return write
