"""Whether a server read every text to its end, told by the tokens that it counted.

`truncate: false` has Ollama refuse a text that is too long. A server that does not know it cuts the
text and says nothing; what then is known is the number of tokens of a whole batch.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ollama import ShowResponse

from twd_shared.clients.ollama_http import OllamaHttp, Vectors
from twd_shared.clients.token_budget import SPECIAL_TOKENS, SURE_CONTEXT, sure_context
from twd_shared.errors import EmbeddingRejected, PermanentError, TextTooLong

# A token is a byte at least, and every model reads this many tokens: of such texts nothing is cut.
_ALWAYS_FITS = 200
_NUM_CTX = re.compile(r"^\s*num_ctx\s+(\d+)\s*$", re.MULTILINE)


@dataclass(slots=True)
class Lengths:
    """What was learned of a server's model; kept over many calls."""

    context_known: bool = False
    context_tokens: int | None = None
    probed: bool = False
    cuts_at: int | None = None
    """Tokens to which it cuts a longer text silently; None = it refuses such a text."""


@dataclass(slots=True)
class LengthGuard:
    """Checks the answers of one server and model, inside one event loop."""

    http: OllamaHttp
    model: str
    lengths: Lengths
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def check(self, texts: Sequence[str], counted: int | None) -> None:
        """Raise TextTooLong if one of `texts`, embedded in one call, may have been cut.

        What is certain: a text of fewer bytes than the context has tokens is never cut, nor is any
        text of a batch whose tokens together are fewer. For the rest the server is asked once
        whether it refuses a text that is too long; if it does, nothing was cut. If it cuts, several
        texts cannot be told apart, so their batch is rejected and has to be divided; a text alone
        is rejected when its tokens reach the length of the cut, also when it just fits. A server
        that counts no tokens cannot be checked.
        """
        if counted is None or max(map(_bytes, texts)) <= _ALWAYS_FITS:
            return
        async with self._one_at_a_time:
            context = await self._context()
            least = sure_context(context) - SPECIAL_TOKENS
            if counted < least or max(map(_bytes, texts)) < least:
                return
            cuts_at = await self._cuts_at(context)
        if cuts_at is None or (len(texts) == 1 and counted < cuts_at - SPECIAL_TOKENS):
            return
        raise TextTooLong(
            f"Ollama at {self.http.server} cuts texts to {cuts_at} tokens without a word, so a "
            f"text of {counted} tokens or more cannot be told from a cut one. Update the server, "
            "or use a model with a longer context (TWD_EMBED_MODEL)."
        )

    async def _context(self) -> int | None:
        known = self.lengths
        if not known.context_known:
            known.context_tokens = await context_tokens(self.http, self.model)
            known.context_known = True
        return known.context_tokens

    async def _cuts_at(self, context: int | None) -> int | None:
        known = self.lengths
        if not known.probed:
            known.cuts_at = await self._probe(max(context or 0, SURE_CONTEXT) + 64)
            known.probed = True
        return known.cuts_at

    async def _probe(self, words: int) -> int | None:
        # No tokenizer reads two words as one token, so this is longer than the context.
        try:
            answer = await embed(self.http, self.model, ["a " * words])
        except TextTooLong:
            return None
        counted = answer.prompt_eval_count
        return counted if counted is not None and counted < words else None


async def embed(http: OllamaHttp, model: str, texts: Sequence[str]) -> Vectors:
    """One call of /api/embed that asks not to cut. Raises EmbeddingRejected for missing vectors."""
    answer = await http.ask(
        "/api/embed", Vectors, model=model, body={"input": list(texts), "truncate": False}
    )
    if len(answer.embeddings) != len(texts):
        raise EmbeddingRejected(
            f"Ollama at {http.server} gave {len(answer.embeddings)} vectors for {len(texts)} texts."
        )
    return answer


async def context_tokens(http: OllamaHttp, model: str) -> int | None:
    """Tokens of a text that the model declares to read; None when its server does not say.

    The lower of what the model was trained with (`<architecture>.context_length`) and what its
    Modelfile sets (`num_ctx`).
    """
    try:
        shown = await http.ask("/api/show", ShowResponse, model=model, body={})
    except PermanentError:  # a server that speaks the protocol in part; it has embedded before
        return None
    facts = shown.modelinfo or {}
    trained = facts.get(f"{facts.get('general.architecture')}.context_length")
    found = [int(number) for number in _NUM_CTX.findall(shown.parameters or "")]
    if isinstance(trained, int):
        found.append(trained)
    return min((number for number in found if number > 0), default=None)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
